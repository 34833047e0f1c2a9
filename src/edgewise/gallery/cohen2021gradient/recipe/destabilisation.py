"""What happens when the sharpness passes 2/η: the iterate along the top eigenvector of that moment."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from edgewise.curvature import Hessian, Tracker
from edgewise.data import Digits
from edgewise.gallery.cohen2021gradient.recipe.network import dealt_anew, network
from edgewise.methods import GradientDescent
from edgewise.problems import Problem
from edgewise.reproduction import Computation, Experiment, Scale

_CRITICAL = {Scale.SMOKE: (26, 1500), Scale.LAPTOP: (110, 1500), Scale.PAPER: (200, 8000)}
# Steps after the crossing at each of which the sharpness is read; before and after it is every few.
_CLOSELY, _EVERY, _NEAR = 150, 5, 0.95


def fig4(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent through its crossing."""
    critical, steps = _CRITICAL[scale]
    return {"gd": Computation(through, {"problem": network(scale), "critical": critical, "steps": steps})}


def through(problem: Problem, critical: int, steps: int) -> xr.Dataset:
    """Loss, sharpness and, from the crossing on, the place along the eigenvector that was on top there.

    Args:
        problem: what is descended; digits get other labels.
        critical: 2/η.
        steps: how many.
    """
    objective = (dealt_anew(problem) if isinstance(problem.data, Digits) else problem).objective()
    method, tracker = GradientDescent(2 / critical), Tracker(k=1, rtol=1e-3, lag=2)
    w, state, memory = objective.start, method.init(objective.start), tracker.init(problem.seed)
    losses, sharpness, places = (np.full(steps + 1, np.nan) for _ in range(3))
    crossing, top, origin, ratio = -1, None, w, 0.0
    for t in range(steps + 1):
        closely = t <= crossing + _CLOSELY if crossing >= 0 else ratio > _NEAR
        due = closely or t % _EVERY == 0
        point = objective.at(w, products=due)
        losses[t] = float(point.value)
        if due:
            pairs, memory = tracker.read(Hessian.at(point), memory, float(critical), [point.gradient])
            sharpness[t] = float(pairs.values[0])
            ratio = float(pairs.values[0]) / critical
            if ratio > 1 and crossing < 0:
                crossing, top, origin = t, pairs.vectors[:, 0].clone(), w
        if top is not None:
            places[t] = float(top @ (w - origin))
        w, state = method.step(w, point.gradient, state)
    return xr.Dataset(
        {
            "loss": ("step", losses),
            "sharpness": ("step", sharpness),
            "place": ("step", places),
            "critical_curvature": float(critical),
            "crossing": crossing,
        },
        coords={"step": np.arange(steps + 1)},
    )
