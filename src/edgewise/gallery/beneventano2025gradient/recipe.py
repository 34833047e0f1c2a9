"""Depth two, one input, one output: L = ½ r², r = ⟨u, v⟩ − 1.

A step of gradient descent, u' = u − ηrv and v' = v − ηru, multiplies every imbalance uᵢ² − vᵢ² by 1 − η²r².
Gradient flow leaves them alone. At a minimum the sharpness is S = ‖u‖² + ‖v‖², and everywhere, with f = ⟨u, v⟩,

    S² − 4f² = ‖u + v‖² ‖u − v‖²

is multiplied by (1 − η²r²)². So gradient flow ends at S = √(4 + S₀² − 4f₀²), and gradient descent where the
product of these factors has taken it.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

STEP_SIZES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_STARTS = {Scale.SMOKE: 24, Scale.LAPTOP: 200, Scale.PAPER: 200}
_STEPS = 4000
_WIDTH = 5
_CONVERGED = 1e-6


def sweep(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent with ten step sizes from many starts."""
    return {"sweep": Computation(descents, {"starts": _STARTS[scale], "seed": seed})}


def descents(starts: int, seed: int) -> xr.Dataset:
    """How flat each descent ends, how long it takes, and by what its imbalances have shrunk.

    The starts have random directions, and squared norms from 1 to 2.4.
    """
    rng = np.random.default_rng(derive_seed(seed, "beneventano2025gradient"))
    u, v = rng.standard_normal((2, starts, _WIDTH))
    norm = np.linspace(1.0, 2.4, starts)
    scale = np.sqrt(norm / (np.square(u).sum(1) + np.square(v).sum(1)))[:, None]
    u, v = scale * u, scale * v
    along = (u * v).sum(1)
    eta = np.array(STEP_SIZES)[:, None]
    U, V = np.tile(u, (len(eta), 1, 1)), np.tile(v, (len(eta), 1, 1))
    factor, length = np.ones((len(eta), starts)), np.zeros((len(eta), starts), dtype=np.int64)
    for _ in range(_STEPS):
        r = residual(U, V)
        factor *= 1 - (eta * r) ** 2
        length += np.abs(r) > _CONVERGED
        U, V = step(U, V, eta)
    before, after = u**2 - v**2, U**2 - V**2
    predicted = factor[..., None] * before
    dims = ("step_size", "start")
    return xr.Dataset(
        {
            "sharpness": (dims, np.square(U).sum(-1) + np.square(V).sum(-1)),
            "flow_sharpness": ("start", np.sqrt(4 + norm**2 - 4 * along**2)),
            "start_sharpness": ("start", norm),
            "residual": (dims, residual(U, V)),
            "steps": (dims, length),
            "factor": (dims, factor),
            "miss": (dims, np.abs(after - predicted).max(-1) / np.abs(before).max(-1)),
        },
        coords={"step_size": np.array(STEP_SIZES)},
    )


def residual(u: Reals, v: Reals) -> Reals:
    """⟨u, v⟩ − 1."""
    return np.asarray((u * v).sum(-1) - 1)


def step(u: Reals, v: Reals, step_size: Reals | float) -> tuple[Reals, Reals]:
    """A step of gradient descent on ½ (⟨u, v⟩ − 1)²."""
    push = (step_size * residual(u, v))[..., None]
    return u - push * v, v - push * u
