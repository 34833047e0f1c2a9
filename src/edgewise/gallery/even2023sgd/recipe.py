"""Sparse regression with w = u ⊙ v, by gradient descent and by SGD with batches of one, for many step sizes.

    L(u, v) = 1/(2n) ‖X (u ⊙ v) − y‖²,  y = X w* with s nonzero entries,  u₀ = √2 α, v₀ = 0

With g the gradient in w, a step is u' = u − γ g v, v' = v − γ g u. So u² − v² is multiplied by 1 − γ²g², and ends
at 2α² exp(−gain) with gain = −Σ log |1 − γ²g²|: what is left of the initialisation.

Step sizes are given in units of the edge, 2 ÷ (the sharpness at the end of gradient descent with a small one).
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

SAMPLES, WIDTH, NONZERO, ALPHA = 20, 30, 3, 0.1
"""n, d, s and α."""

MULTIPLES = {
    "gd": (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5),
    "sgd": (0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28, 0.32, 0.36, 0.4, 0.45, 0.5),
}
"""Step sizes in units of the edge."""

_DATA_SETS = {Scale.SMOKE: 12, Scale.LAPTOP: 40, Scale.PAPER: 40}
_STEPS = {
    Scale.SMOKE: {"gd": 10_000, "sgd": 30_000},
    Scale.LAPTOP: {"gd": 40_000, "sgd": 150_000},
    Scale.PAPER: {"gd": 100_000, "sgd": 400_000},
}
_SMALL, _SMALL_STEPS = 0.1, 10_000
# Of the first loss: what is above has not converged.
_CONVERGED = 1e-6


def sparse_regression(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The same data sets for both methods."""
    return {
        method: Computation(ends, {"method": method, "data_sets": _DATA_SETS[scale], "steps": steps, "seed": seed})
        for method, steps in _STEPS[scale].items()
    }


def ends(method: str, data_sets: int, steps: int, seed: int) -> xr.Dataset:
    """What every step size ends at on every data set; NaN where it has not converged."""
    rng = np.random.default_rng(derive_seed(seed, "even2023sgd"))
    X, truth = regression(rng, data_sets)
    small, _ = descend(X, truth, np.full((data_sets, 1), _SMALL), np.zeros((_SMALL_STEPS, 0), dtype=np.intp))
    edge = 2 / sharpness(X, truth, *small)[:, 0]
    gamma = edge[:, None] * np.array(MULTIPLES[method])
    drawn = rng.integers(SAMPLES, size=(steps, data_sets if method == "sgd" else 0))
    (u, v), gain = descend(X, truth, gamma, drawn)
    with np.errstate(all="ignore"):
        converged = loss(X, truth, u, v) < _CONVERGED * loss(X, truth, u * 0, v * 0)
        distance = np.linalg.norm(u * v - truth[:, None], axis=-1)
        identity = np.abs(np.abs(u**2 - v**2) / (2 * ALPHA**2) - np.exp(-gain)).max(-1)
        on, off = gain[..., :NONZERO].mean(-1), gain[..., NONZERO:].mean(-1)
    over = ("data", "multiple")
    found = {
        "distance": distance,
        "edge_ratio": sharpness(X, truth, u, v) * gamma / 2,
        "identity": identity,
        "gain": gain.mean(-1),
        "gain_on_support": on / off,
    }
    return xr.Dataset(
        {name: (over, np.where(converged, values, np.nan)) for name, values in found.items()}
        | {"step_size": (over, gamma), "edge": ("data", edge)},
        coords={"multiple": list(MULTIPLES[method])},
    )


def regression(rng: np.random.Generator, data_sets: int) -> tuple[Reals, Reals]:
    """X (data × samples × coordinates) and w* (data × coordinates), whose first entries are ±1."""
    truth = np.zeros((data_sets, WIDTH))
    X = rng.standard_normal((data_sets, SAMPLES, WIDTH))
    truth[:, :NONZERO] = rng.choice([-1.0, 1.0], (data_sets, NONZERO))
    return X, truth


def descend(X: Reals, truth: Reals, gamma: Reals, drawn: NDArray[np.intp]) -> tuple[tuple[Reals, Reals], Reals]:
    """u and v after as many steps as `drawn` is long, and the gain of every coordinate.

    Args:
        X: data × samples × coordinates.
        truth: w*, data × coordinates.
        gamma: step sizes, data × several.
        drawn: the sample of every step and data set; without columns, all samples.
    """
    shape = (*gamma.shape, X.shape[-1])
    u, v, gain = np.full(shape, np.sqrt(2) * ALPHA), np.zeros(shape), np.zeros(shape)
    gamma, truth, data = gamma[..., None], truth[:, None], np.arange(len(X))
    covariance = X.transpose(0, 2, 1) @ X / X.shape[1]
    with np.errstate(all="ignore"):
        for sample in drawn:
            error = u * v - truth
            if sample.size:
                x = X[data, sample][:, None]
                move = gamma * (error * x).sum(-1, keepdims=True) * x
            else:
                move = gamma * (error @ covariance)
            u, v = u - move * v, v - move * u
            gain -= np.log(np.abs(1 - move**2))
    return (u, v), gain


def loss(X: Reals, truth: Reals, u: Reals, v: Reals) -> Reals:
    """L, data × several."""
    return np.asarray((((u * v - truth[:, None]) @ X.transpose(0, 2, 1)) ** 2).mean(-1) / 2)


def sharpness(X: Reals, truth: Reals, u: Reals, v: Reals) -> Reals:
    """The largest eigenvalue of the Hessian of L in (u, v); NaN where the descent diverged."""
    found = np.full(u.shape[:2], np.nan)
    covariance = X.transpose(0, 2, 1) @ X / X.shape[1]
    for i, j in zip(*np.nonzero(np.isfinite(u * v).all(-1)), strict=True):
        a, b, H = u[i, j], v[i, j], covariance[i]
        cross = np.diag(H @ (a * b - truth[i])) + b[:, None] * H * a
        blocks = np.block([[b[:, None] * H * b, cross], [cross.T, a[:, None] * H * a]])
        found[i, j] = np.linalg.eigvalsh(blocks)[-1] if np.isfinite(blocks).all() else np.nan
    return found
