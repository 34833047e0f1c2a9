"""A network on its way to the edge: sharpness, its Gauss–Newton part, and how its layers are aligned."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from edgewise.curvature import gauss_newton_share, jacobian_alignment
from edgewise.methods import GradientDescent
from edgewise.problems import Problem, digits_mlp
from edgewise.reproduction import Computation, Experiment, Scale

SIZES = (40, 80, 160, 320)
_SAMPLES, _RTOL = 16, 2e-3


def edge(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent up to its edge and some way along it."""
    return {"gd": _descent(160, step_size=0.15, steps=350, every=25, seed=seed)}


def sizes(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent on so many digits each, with a step size at which none comes to the edge."""
    return {f"n = {n}": _descent(n, step_size=0.05, steps=1000, every=250, seed=seed) for n in SIZES}


def _descent(n: int, *, step_size: float, steps: int, every: int, seed: int) -> Experiment:
    problem = digits_mlp(n=n, widths=(32, 32), seed=seed)
    return Computation(aligned, {"problem": problem, "step_size": step_size, "steps": steps, "every": every})


def aligned(problem: Problem, step_size: float, steps: int, every: int) -> xr.Dataset:
    """Loss, sharpness, λ₁ of the Gauss–Newton matrix, and the alignment of the layerwise Jacobians.

    Args:
        problem: what is descended.
        step_size: η.
        steps: how many.
        every: steps between readings.
    """
    objective, method = problem.objective(), GradientDescent(step_size)
    w, state = objective.start, method.init(objective.start)
    rows = []
    for t in range(steps + 1):
        point = objective.at(w, products=False)
        if t % every == 0:
            share = gauss_newton_share(objective, w, _RTOL)
            found = jacobian_alignment(objective, w, _SAMPLES)
            norm = float(np.prod(found.norms))
            rows.append((float(point.value), share.hessian, share.gauss_newton, found.alignment, norm))
        w, state = method.step(w, point.gradient, state)
    loss, sharpness, gauss_newton, alignment, norms = np.array(rows).T
    return xr.Dataset(
        {
            "loss": ("step", loss),
            "sharpness": ("step", sharpness),
            "gauss_newton": ("step", gauss_newton),
            "alignment": ("step", alignment),
            "norms": ("step", norms),
            "critical_curvature": 2 / step_size,
            "samples": objective.samples,
        },
        coords={"step": np.arange(0, steps + 1, every)},
    )
