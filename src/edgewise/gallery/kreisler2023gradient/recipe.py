"""Products of D scalar factors, (∏ wᵢ − 1)²/2, and the sharpness φ of the minimum at which flow would end.

Flow keeps every wᵢ² − wⱼ², so it ends where ∏ (wᵢ² + c) = 1, and there the sharpness is φ(w) = Σ 1/(wᵢ² + c).
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

STEP_SIZE = 0.2
_DEPTHS = (2, 3, 4)
_AHEAD = (1.02, 1.1)  # φ at the start ÷ 2/η
_OFF = (0.01, 0.05)  # by how much the product at the start differs from 1
# The last of the way goes at the rate 1 − η²/2 at best.
_UNTIL_THE_END = 50_000


def products(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """From random starts near minima that are too sharp to be stable, for three depths."""
    count = 40 if scale is Scale.SMOKE else 400
    return {
        f"depth {depth}": Computation(paths, {"depth": depth, "starts": count, "steps": 1000, "seed": seed})
        for depth in _DEPTHS
    }


def paths(depth: int, starts: int, steps: int, seed: int) -> xr.Dataset:
    """φ, loss and sharpness along gradient descent from random starts, and long after."""
    lr = STEP_SIZE
    w = _starts(depth, starts, np.random.default_rng(derive_seed(seed, f"kreisler2023gradient {depth}")))

    def step(*w: Reals) -> tuple[Reals, ...]:
        whole = np.multiply.reduce(w)
        e = lr * (whole - 1.0) * whole
        return tuple(part - e / part for part in w)

    path = np.stack(iterate(step, tuple(w.T), steps, every=1), axis=-1)
    end = np.stack(iterate(step, tuple(path[-1].T), _UNTIL_THE_END), axis=-1)
    dims = ("step", "start")
    return xr.Dataset(
        {
            "w": ((*dims, "factor"), path),
            "loss": (dims, (path.prod(-1) - 1) ** 2 / 2),
            "sharpness": (dims, sharpness(path)),
            "flow_sharpness": (dims, flow_sharpness(path)),
            "end_sharpness": ("start", sharpness(end)),
            "end_flow_sharpness": ("start", flow_sharpness(end)),
        },
        coords={"step": np.arange(steps + 1), "lr": lr},
    )


def sharpness(w: Reals) -> Reals:
    """The largest eigenvalue of the Hessian of (∏ wᵢ − 1)²/2: p²/wᵢ², off the diagonal (2p − 1) p/(wᵢwⱼ)."""
    p = w.prod(-1)[..., None, None]
    outer = w[..., :, None] * w[..., None, :]
    hessian = np.where(np.eye(w.shape[-1], dtype=bool), p**2, (2 * p - 1) * p) / outer
    return np.asarray(np.linalg.eigvalsh(hessian)[..., -1])


def flow_sharpness(w: Reals) -> Reals:
    """φ(w) = Σ 1/(wᵢ² + c) with ∏ (wᵢ² + c) = 1, by halving."""
    squares = w**2
    low, high = -squares.min(-1, keepdims=True), np.ones((*w.shape[:-1], 1))
    for _ in range(100):
        middle = (low + high) / 2
        short = (squares + middle).prod(-1, keepdims=True) < 1
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray((1 / (squares + high)).sum(-1))


def _starts(depth: int, count: int, rng: np.random.Generator) -> Reals:
    """Positive factors: minima, scaled off it a little, of which those are kept whose φ is in `_AHEAD` × 2/η."""
    chosen: list[Reals] = []
    while len(chosen) < count:
        w = np.exp(rng.normal(0, 1, (1000, depth)))
        w /= w.prod(-1, keepdims=True) ** (1 / depth)
        off = rng.choice((-1, 1), (1000, 1)) * rng.uniform(*_OFF, (1000, 1))
        w *= (1 + off) ** (1 / depth)
        ahead = flow_sharpness(w) * STEP_SIZE / 2
        chosen += list(w[(ahead >= _AHEAD[0]) & (ahead <= _AHEAD[1])])
    return np.stack(chosen[:count])
