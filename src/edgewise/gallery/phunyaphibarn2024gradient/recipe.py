"""Heavy ball beside gradient descent, at step sizes that give both the same critical curvature.

v' = β v + ∇L(w), w' = w − η (1 + β) v': its edge is (2 + 2β)/(η (1 + β)) = 2/η for every β.

    toy        log cosh(xy) at a constant step size, from beyond the edge
    diagonal   1/(4n) ‖X (u² − v²) − y‖² from next to a minimum, with a linear warm-up that takes η over its edge
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]
Four = tuple[Reals, Reals, Reals, Reals]

BETAS = (0.0, 0.5, 0.9, 0.95)
STEP_SIZE = 0.05
_SHARES = (1.05, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0)
_X0 = (0.01, 0.02, 0.05, 0.1)
# Next to the end of gradient descent x shrinks by the share 3η²/2 a step: in 20 000 steps by e⁻⁷⁵.
_TOY_STEPS, _SHOWN_STEPS = 20_000, 400

SAMPLES, WIDTH, NONZERO, ALPHA = 20, 40, 3, 0.1
"""n, d, the nonzero weights, and u₀ = v₀."""

DIAGONAL_BETAS = (0.0, 0.5, 0.9)
MULTIPLES = (1.02, 1.05, 1.1)
"""η after the warm-up, in units of the edge: 2 ÷ (the sharpness of the minimum that a small step size finds)."""

WARM_UP, AFTER, FIRST_SHARE, EVERY = 200, 4000, 0.9, 10
"""Steps of the warm-up and after it; η of the first step as a share of the last; steps between two readings."""

# From the minimum itself rounding would have to grow, and what it grows to differs from machine to machine.
DISPLACEMENT = 1e-3
"""The standard deviation of every weight's displacement from the minimum."""

_DATA_SETS = {Scale.SMOKE: 24, Scale.LAPTOP: 120, Scale.PAPER: 120}
_SMALL, _SMALL_STEPS = 0.2, 8000
_CONVERGED = 1e-8


def toy(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Four momenta from 28 starts."""
    return {f"β = {beta:g}": Computation(toy_ends, {"beta": beta}) for beta in BETAS}


def diagonal(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Three momenta from the same starts on the same data sets."""
    return {
        f"β = {beta:g}": Computation(diagonal_ends, {"beta": beta, "data_sets": _DATA_SETS[scale], "seed": seed})
        for beta in DIAGONAL_BETAS
    }


def toy_ends(beta: float) -> xr.Dataset:
    """y² and the largest |xy| for every start, and y² along the way for those with the smallest x₀."""
    x, share = np.meshgrid(_X0, _SHARES)
    y = np.sqrt(share * 2 / STEP_SIZE)
    step, rest = heavy_ball(beta, STEP_SIZE), np.zeros_like(x)

    def tracked(x: Reals, y: Reals, vx: Reals, vy: Reals, peak: Reals) -> tuple[Reals, ...]:
        x, y, vx, vy = step(x, y, vx, vy)
        return x, y, vx, vy, np.fmax(peak, np.abs(x * y))

    x_end, y_end, _, _, peak = iterate(tracked, (x, y, rest, rest, np.abs(x * y)), _TOY_STEPS)
    one = slice(None), slice(0, 1)
    x_path, y_path, _, _ = iterate(step, (x[one], y[one], rest[one], rest[one]), _SHOWN_STEPS, every=1)
    over = ("share", "x0")
    return xr.Dataset(
        {
            "sharpness": (over, x_end**2 + y_end**2),
            "left": (over, np.abs(x_end * y_end)),
            "peak": (over, peak),
            "path": (("step", "share"), (x_path**2 + y_path**2)[..., 0]),
            "product": (("step", "share"), (x_path * y_path)[..., 0]),
        },
        coords={"share": list(_SHARES), "x0": list(_X0), "step": np.arange(_SHOWN_STEPS + 1)},
        attrs={"step_size": STEP_SIZE},
    )


def heavy_ball(beta: float, eta: float) -> Callable[[Reals, Reals, Reals, Reals], Four]:
    """A step on log cosh(xy) whose critical curvature is 2/η."""

    def step(x: Reals, y: Reals, vx: Reals, vy: Reals) -> Four:
        slope = np.tanh(x * y)
        vx, vy = beta * vx + slope * y, beta * vy + slope * x
        return x - eta * (1 + beta) * vx, y - eta * (1 + beta) * vy, vx, vy

    return step


def diagonal_ends(beta: float, data_sets: int, seed: int) -> xr.Dataset:
    """The edge ratio at the end for every data set and step size, and one data set along the way.

    NaN where a descent has not converged.
    """
    rng = np.random.default_rng(derive_seed(seed, "phunyaphibarn2024gradient"))
    X = rng.standard_normal((data_sets, SAMPLES, WIDTH))
    truth = np.zeros((data_sets, WIDTH))
    truth[:, :NONZERO] = rng.choice([-1.0, 1.0], (data_sets, NONZERO))
    covariance = X.transpose(0, 2, 1) @ X / SAMPLES
    start = np.full((2, data_sets, 1, WIDTH), ALPHA)
    small = descend(covariance, truth, start, np.full((_SMALL_STEPS, data_sets, 1), _SMALL), 0.0)
    eta = 2 / small.sharpness * np.array(MULTIPLES)
    start = small.weights + DISPLACEMENT * rng.standard_normal(start.shape)
    rising = np.minimum(FIRST_SHARE + (1 - FIRST_SHARE) * np.arange(WARM_UP + AFTER) / WARM_UP, 1.0)
    way = descend(covariance, truth, np.repeat(start, len(MULTIPLES), axis=2), rising[:, None, None] * eta, beta)
    converged = way.losses[-1] < _CONVERGED
    over = ("data", "multiple")
    return xr.Dataset(
        {
            "edge_ratio": (over, np.where(converged, way.sharpness * eta / 2, np.nan)),
            "converged": (over, converged.astype(np.float64)),
            "path": ("reading", way.shown),
            "path_edge": ("reading", 2 / (rising[::EVERY] * eta[0, 0])),
            "path_loss": ("reading", way.losses[::EVERY, 0, 0]),
        },
        coords={"multiple": list(MULTIPLES), "reading": np.arange(0, WARM_UP + AFTER, EVERY)},
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """What a descent has gone through.

    Attributes:
        weights: u and v at the end, 2 × data × several × coordinates.
        losses: before every step, steps × data × several.
        sharpness: at the end, data × several.
        shown: that along the way with the first step size of the first data set, every `EVERY` steps.
    """

    weights: Reals
    losses: Reals
    sharpness: Reals
    shown: Reals


def descend(covariance: Reals, truth: Reals, start: Reals, eta: Reals, beta: float) -> Way:
    """Heavy ball at rest, every step size times 1 + β.

    Args:
        covariance: XᵀX/n, data × coordinates × coordinates.
        truth: data × coordinates.
        start: u and v, 2 × data × several × coordinates.
        eta: steps × data × several.
        beta: the momentum.
    """
    u, v = start
    velocity_u, velocity_v = np.zeros_like(u), np.zeros_like(v)
    losses, shown = np.empty(eta.shape), []
    with np.errstate(all="ignore"):
        for t, rate in enumerate(eta):
            error = u**2 - v**2 - truth[:, None]
            gradient = error @ covariance
            losses[t] = (error * gradient).sum(-1) / 4
            if t % EVERY == 0:
                shown.append(sharpness(covariance[:1], truth[:1], u[:1, :1], v[:1, :1])[0, 0])
            velocity_u, velocity_v = beta * velocity_u + gradient * u, beta * velocity_v - gradient * v
            u = u - (1 + beta) * rate[..., None] * velocity_u
            v = v - (1 + beta) * rate[..., None] * velocity_v
    return Way(np.stack([u, v]), losses, sharpness(covariance, truth, u, v), np.array(shown))


def sharpness(covariance: Reals, truth: Reals, u: Reals, v: Reals) -> Reals:
    """The largest eigenvalue of the Hessian in (u, v); NaN where the descent has diverged."""
    found = np.full(u.shape[:2], math.nan)
    with np.errstate(all="ignore"):
        for i, j in np.ndindex(*found.shape):
            C, a, b = covariance[i], u[i, j], v[i, j]
            gradient, both = C @ (a**2 - b**2 - truth[i]), np.concatenate([a, -b])
            H = 2 * both[:, None] * np.tile(C, (2, 2)) * both + np.diag(np.concatenate([gradient, -gradient]))
            if np.isfinite(H).all():
                found[i, j] = np.linalg.eigvalsh(H)[-1]
    return found
