"""Quadratics, on which every mode goes its own way: L = ½ Σ λᵢ cᵢ².

The methods are those of the library, and the gradients those of automatic differentiation: what is compared with
the theory are runs.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

import edgewise as ew
from edgewise.foundation import derive_seed
from edgewise.methods import AnyMethod, critical_curvature_by_bisection, spectral_radius
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

STEP_SIZE = 0.01
BETAS = (0.0, 0.5, 0.9, 0.95, 0.99)

FORMULAS: dict[str, Callable[[float], float]] = {
    "Polyak": lambda beta: 2 + 2 * beta,
    "Nesterov": lambda beta: (2 + 2 * beta) / (1 + 2 * beta),
    "averaged": lambda beta: (2 + 2 * beta) / (1 - beta),
}
"""Critical curvature × η as the literature gives it, by kind, as a function of β."""

FAMILIES = tuple(FORMULAS)

# 2/η lies above all of these curvatures, below the first, below the first two.
_SPECTRUM = (1.0, 0.8, 0.45, 0.2, 0.05)
_STEP_SIZES = (1.9, 2.2, 2.6)
_MODE_STEPS = 40

_MARGIN = 5e-3  # how far below and above the threshold the runs are
_RUN_STEPS = 1200

_SHOWN_BETA, _GRID, _FITTED_STEPS = 0.9, 49, 40

_CONDITIONS = {
    Scale.SMOKE: (10.0, 30.0, 100.0, 300.0),
    Scale.LAPTOP: (10.0, 100.0, 1000.0, 10000.0),
    Scale.PAPER: (10.0, 100.0, 1000.0, 10000.0),
}
_ACCURACY, _MODES = 1e-12, 12


def modes(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent on a quadratic whose axes are not those of the parameters, at three step sizes."""
    return {"modes": Computation(mode_by_mode, {"seed": seed})}


def thresholds(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Three kinds of momentum: where they lose stability, and runs on either side of it."""
    return {
        "thresholds": Computation(either_side, {"betas": BETAS}),
        "growth": Computation(growth, {"beta": _SHOWN_BETA}),
    }


def acceleration(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent and Polyak's momentum, both tuned, on ever worse conditioned quadratics."""
    return {"steps": Computation(steps_needed, {"conditions": _CONDITIONS[scale]})}


def method(family: str, lr: float, beta: float) -> AnyMethod:
    """The momentum of that name."""
    kinds: dict[str, Callable[[float, float], AnyMethod]] = {
        "Polyak": ew.HeavyBall,
        "Nesterov": ew.Nesterov,
        "averaged": ew.AveragedMomentum,
    }
    return kinds[family](lr, beta)


def mode_by_mode(seed: int) -> xr.Dataset:
    """The coefficients along the eigenvectors of a turned quadratic, at every step and step size."""
    numbers = np.random.default_rng(derive_seed(seed, "polyak1964some"))
    size = len(_SPECTRUM)
    axes, _ = np.linalg.qr(numbers.standard_normal((size, size)))
    matrix = torch.from_numpy(axes @ np.diag(_SPECTRUM) @ axes.T)
    start = torch.from_numpy(axes.sum(1))
    objective = ew.Objective.from_function(lambda w: 0.5 * w @ (matrix @ w), size, start=start)
    paths = [descend(ew.GradientDescent(lr), objective, _MODE_STEPS) @ axes for lr in _STEP_SIZES]
    return xr.Dataset(
        {"coefficient": (("step_size", "step", "curvature"), np.stack(paths))},
        coords={"step_size": list(_STEP_SIZES), "step": np.arange(_MODE_STEPS + 1), "curvature": list(_SPECTRUM)},
    )


def either_side(betas: tuple[float, ...]) -> xr.Dataset:
    """By kind and β: the threshold as declared and by bisection, and how far runs next to it have gone."""
    shape = (len(FAMILIES), len(betas))
    declared, bisected = np.zeros(shape), np.zeros(shape)
    distances = np.zeros((*shape, 2, _RUN_STEPS + 1))
    for i, family in enumerate(FAMILIES):
        for j, beta in enumerate(betas):
            one = method(family, STEP_SIZE, beta)
            declared[i, j] = _declared(one)
            bisected[i, j] = critical_curvature_by_bisection(one)
            sides = declared[i, j] * np.array([1 - _MARGIN, 1 + _MARGIN])
            distances[i, j] = np.abs(descend(one, bowl(sides), _RUN_STEPS)).T
    return xr.Dataset(
        {
            "declared": (("family", "beta"), declared),
            "bisected": (("family", "beta"), bisected),
            "distance": (("family", "beta", "side", "step"), distances),
        },
        coords={
            "family": list(FAMILIES),
            "beta": list(betas),
            "side": ["below", "above"],
            "step": np.arange(_RUN_STEPS + 1),
        },
    )


def growth(beta: float) -> xr.Dataset:
    """Over a grid of curvatures: the factor by which runs grow a step, and the spectral radius.

    The modulus of the larger root of z² − pz − q, where p and q are fitted to wₜ₊₂ = p wₜ₊₁ + q wₜ.
    """
    shape = (len(FAMILIES), _GRID)
    curvatures, measured, radius = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for i, family in enumerate(FAMILIES):
        one = method(family, STEP_SIZE, beta)
        curvatures[i] = _declared(one) * np.linspace(0.05, 1.3, _GRID)
        path = descend(one, bowl(curvatures[i]), _FITTED_STEPS)
        measured[i] = [_factor(path[:, k]) for k in range(_GRID)]
        radius[i] = [spectral_radius(one, float(curvature)) for curvature in curvatures[i]]
    return xr.Dataset(
        {
            "curvature": (("family", "point"), curvatures),
            "measured": (("family", "point"), measured),
            "radius": (("family", "point"), radius),
        },
        coords={"family": list(FAMILIES)},
    )


def steps_needed(conditions: tuple[float, ...]) -> xr.Dataset:
    """How many steps bring the farthest mode to 10⁻¹² of where it started, by condition number."""
    counts = np.zeros((2, len(conditions)))
    for j, condition in enumerate(conditions):
        root = math.sqrt(condition)
        tuned = (
            ew.GradientDescent(2 / (1 + condition)),
            ew.HeavyBall(4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2),
        )
        spectrum = np.geomspace(1.0, condition, _MODES)
        counts[:, j] = [_count(one, spectrum) for one in tuned]
    return xr.Dataset(
        {"steps": (("kind", "condition"), counts)},
        coords={"kind": ["gradient descent", "Polyak"], "condition": list(conditions)},
    )


def bowl(curvatures: Reals) -> ew.Objective:
    """½ Σ λᵢ wᵢ², from one in every coordinate."""
    diagonal = torch.from_numpy(curvatures)
    start = torch.ones(len(curvatures), dtype=torch.float64)
    return ew.Objective.from_function(lambda w: 0.5 * (diagonal * w * w).sum(), len(curvatures), start=start)


def descend(one: AnyMethod, objective: ew.Objective, steps: int) -> Reals:
    """The iterates, from the start on, a row each."""
    w = objective.start
    state, path = one.init(w), [w]
    for _ in range(steps):
        w, state = one.step(w, objective.gradient(w), state)
        path.append(w)
    return torch.stack(path).numpy()


def _declared(one: AnyMethod) -> float:
    critical = one.critical_curvature
    assert isinstance(critical, float)  # their step sizes are constant
    return critical


def _factor(x: Reals) -> float:
    # Every equation is divided by its own size, so that the last of a growing mode do not drown the others.
    size = np.abs(x[:-2]) + np.abs(x[1:-1])
    (p, q), *_ = np.linalg.lstsq(np.stack([x[1:-1], x[:-2]], 1) / size[:, None], x[2:] / size, rcond=None)
    return float(np.abs(np.roots([1.0, -p, -q])).max())


def _count(one: AnyMethod, spectrum: Reals) -> int:
    objective = bowl(spectrum)
    w, count = objective.start, 0
    state = one.init(w)
    while float(w.abs().max()) > _ACCURACY:
        w, state = one.step(w, objective.gradient(w), state)
        count += 1
    return count
