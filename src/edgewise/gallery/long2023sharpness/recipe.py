"""Sharpness-aware minimisation on quadratics, where its edge is exact, and on networks beside gradient descent.

On ½λx² a step is x' = x − ηλ(x + ρ sign x). It settles in the oscillation |x| = ηλρ/(2 − ηλ), whose gradient norm
is the very one that puts the edge (‖g‖/2ρ)(√(1 + 8ρ/(η‖g‖)) − 1) at λ.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.dynamics import GradientNorm, Problem, Sharpness
from edgewise.foundation import derive_seed
from edgewise.methods import SAM, GradientDescent
from edgewise.problems import cifar10_mlp, digits_mlp
from edgewise.reproduction import Computation, Descent, Experiment, Scale
from edgewise.theory import sam_edge

Reals = NDArray[np.float64]

_CASES = {Scale.SMOKE: 200, Scale.LAPTOP: 2000, Scale.PAPER: 2000}
_STEPS = {Scale.SMOKE: 1000, Scale.LAPTOP: 2000, Scale.PAPER: 20000}
STEP_SIZES = {Scale.SMOKE: 0.15, Scale.LAPTOP: 0.02, Scale.PAPER: 0.01}
RADII = (0.05, 0.1)


def quadratic(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Single modes at the edge, just above and below it; descents on quadratics of five modes."""
    return {
        "modes": Computation(modes, {"cases": _CASES[scale], "seed": seed}),
        "descents": Computation(descents, {"cases": _CASES[scale] // 10, "seed": seed, "steps": 20_000}),
    }


def network(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The same network under gradient descent and under two radii of sharpness-aware minimisation."""
    eta = STEP_SIZES[scale]
    every = 20 if scale is Scale.SMOKE else 50
    problem: Problem = (
        digits_mlp(n=200, widths=(32, 32), seed=seed)
        if scale is Scale.SMOKE
        else cifar10_mlp(n=1000 if scale is Scale.LAPTOP else 5000, seed=seed)
    )
    methods = {"GD": GradientDescent(eta)} | {f"SAM, ρ = {rho:g}": SAM(eta, rho) for rho in RADII}
    return {
        name: Descent(
            processes={"method": method},
            problem=problem,
            steps=_STEPS[scale],
            probes=(Sharpness(every=every), GradientNorm(every=every)),
        )
        for name, method in methods.items()
    }


def modes(cases: int, seed: int) -> xr.Dataset:
    """|x'| ÷ |x| of a mode whose curvature is 0.99, 1 and 1.01 times the edge, with the gradient norm held."""
    rng = np.random.default_rng(derive_seed(seed, "long2023sharpness", "modes"))
    eta, rho, norm = 10.0 ** rng.uniform(-3, 0, (3, cases))
    edge = np.array([sam_edge(float(g), float(e), float(r)) for g, e, r in zip(norm, eta, rho, strict=True)])
    share = np.array([0.99, 1.0, 1.01])
    curvature = share[:, None] * edge
    return xr.Dataset(
        {
            "growth": (("share", "case"), np.abs(1 - eta * curvature * (1 + rho * curvature / norm))),
            "of_plain": ("case", edge * eta / 2),
        },
        coords={"share": share},
    )


def descents(cases: int, seed: int, steps: int) -> xr.Dataset:
    """Where sharpness-aware minimisation ends on quadratics whose sharpness lies below 2/η."""
    rng = np.random.default_rng(derive_seed(seed, "long2023sharpness", "descents"))
    curvature = np.sort(rng.uniform(0.05, 1.0, (cases, 5)), axis=1)[:, ::-1]
    eta, rho = rng.uniform(0.2, 1.6, cases), rng.uniform(0.05, 0.5, cases)
    x = rng.standard_normal((cases, 5))
    for _ in range(steps):
        x = step(x, curvature, eta[:, None], rho[:, None])
    ahead = step(x, curvature, eta[:, None], rho[:, None])
    norm = np.linalg.norm(curvature * x, axis=1)
    edge = [sam_edge(float(g), float(e), float(r)) for g, e, r in zip(norm, eta, rho, strict=True)]
    top = curvature[:, 0]
    return xr.Dataset(
        {
            "edge_ratio": ("case", top / np.array(edge)),
            "amplitude": ("case", np.abs(x[:, 0]) / (eta * top * rho / (2 - eta * top))),
            "others": ("case", np.abs(x[:, 1:]).max(1) / np.abs(x[:, 0])),
            "flip": ("case", np.abs(x + ahead).max(1)),
            "plain": ("case", eta * top / 2),
        }
    )


def step(x: Reals, curvature: Reals, eta: Reals | float, rho: Reals | float) -> Reals:
    """x − η∇L(x + ρ∇L/‖∇L‖) on ½ Σ λᵢxᵢ², along the last axis."""
    gradient = curvature * x
    return np.asarray(
        x - eta * curvature * (x + rho * gradient / np.linalg.norm(gradient, axis=-1, keepdims=True))
    )
