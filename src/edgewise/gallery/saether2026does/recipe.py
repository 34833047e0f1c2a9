"""Gradient descent with weight decay, on a fully connected network and on a convolutional one.

With decay γ the descent is on L + ½γ‖w‖², whose sharpness is S + γ: S loses stability at 2/η − γ. It grows at the
rate −⟨∇L, ∇S⟩ − γ⟨w, ∇S⟩ (a unit of time), so decay slows it as far as w points along ∇S.
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr

from edgewise.curvature import Hessian, Tracker
from edgewise.methods import GradientDescent, WeightDecay
from edgewise.problems import Problem, digits_cnn, digits_mlp
from edgewise.reproduction import Computation, Experiment, Scale

DECAYS = {"MLP": (0.0, 0.001, 0.003, 0.01, 0.03), "CNN": (0.0, 0.003, 0.01)}
STEP_SIZES = {"MLP": 0.15, "CNN": 0.4}
_STEPS, _EVERY = 400, 13
_RTOL = 2e-3


def networks(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Both networks by decay."""
    problems = {
        "MLP": digits_mlp(n=150, widths=(24, 24), seed=seed),
        "CNN": digits_cnn(n=150, channels=(4, 4), seed=seed),
    }
    return {
        f"{name}, γ = {decay:g}": Computation(
            decayed, {"problem": problem, "step_size": STEP_SIZES[name], "decay": decay, "steps": _STEPS}
        )
        for name, problem in problems.items()
        for decay in DECAYS[name]
    }


def decayed(problem: Problem, step_size: float, decay: float, steps: int) -> xr.Dataset:
    """Loss and sharpness along the way, the two parts of the rate at which it grows, and cos(w, ∇S).

    Args:
        problem: what is descended.
        step_size: η.
        decay: γ.
        steps: how many.
    """
    objective = problem.objective()
    method = WeightDecay(GradientDescent(step_size), decay)
    tracker = Tracker(k=1, rtol=_RTOL)
    w, state, memory = objective.start, method.init(objective.start), tracker.init(problem.seed)
    rows = []
    for t in range(steps + 1):
        due = t % _EVERY == 0
        point = objective.at(w, products=due)
        if due:
            pairs, memory = tracker.read(Hessian.at(point), memory, 2 / step_size, [point.gradient])
            u = pairs.vectors[:, 0]
            slope = point.third(u, u)
            along = float(w @ slope)
            cosine = along / float(torch.linalg.vector_norm(w) * torch.linalg.vector_norm(slope))
            rows.append(
                (float(point.value), float(pairs.values[0]), -float(point.gradient @ slope), along, cosine)
            )
        w, state = method.step(w, point.gradient, state)
    names = ("loss", "sharpness", "data_rate", "decay_slope", "cosine")
    return xr.Dataset(
        {name: ("step", column) for name, column in zip(names, np.array(rows).T, strict=True)},
        coords={"step": np.arange(0, steps + 1, _EVERY)},
    ).assign(decay=decay, step_size=step_size, critical_curvature=2 / step_size - decay)
