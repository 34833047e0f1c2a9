"""How the loss grows along the top eigenvectors from a point at the edge of stability.

The point is the midpoint of the last steps of gradient descent, where the oscillation has cancelled; δ is how far
the run oscillated about its midpoints along the top eigenvector. What is read is the growth to either side,
(L(w + su) + L(w − su))/2 − L(w), in which slope and third derivative cancel.
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from edgewise.curvature import Hessian, Tracker
from edgewise.methods import GradientDescent
from edgewise.objectives import Objective
from edgewise.problems import chebyshev_mlp, digits_mlp
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

MODES = 3
_SETTINGS = {"digits": (2 / 13, 700), "Chebyshev": (0.4, 700)}
_OSCILLATION = 200
_REACH = np.geomspace(0.03, 100.0, 50)


def growth(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """On digits and on a Chebyshev polynomial."""
    return {
        name: Computation(profile, {"problem": name, "step_size": step_size, "steps": steps, "seed": seed})
        for name, (step_size, steps) in _SETTINGS.items()
    }


def profile(problem: str, step_size: float, steps: int, seed: int) -> xr.Dataset:
    """The growth along the top eigenvectors at the end of so many steps, in float64."""
    objective = objective_of(problem, seed)
    method = GradientDescent(step_size)
    w = objective.start
    state = method.init(w)
    last = []
    for t in range(steps + 2):
        if t >= steps - _OSCILLATION:
            last.append(w)
        w, state = method.step(w, objective.gradient(w), state)
    path = torch.stack(last)
    midpoints = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
    middle = midpoints[-1]
    tracker = Tracker(k=MODES, rtol=1e-6)
    pairs, _ = tracker.read(Hessian(objective, middle), tracker.init(seed), 2 / step_size)
    directions = pairs.vectors[:, :MODES]
    swings = ((path[1:-1] - midpoints) @ directions[:, 0]).square().mean().sqrt()
    delta = float(swings)
    return xr.Dataset(
        {
            "growth": (("mode", "reach"), rise(objective, middle, directions, delta * _REACH)),
            "curvature": ("mode", pairs.values[:MODES].numpy()),
            "delta": delta,
            "critical_curvature": 2 / step_size,
            "loss": float(objective.value(middle)),
        },
        coords={"reach": _REACH},
    )


def rise(objective: Objective, w: torch.Tensor, directions: torch.Tensor, reach: Reals) -> Reals:
    """(L(w + su) + L(w − su))/2 − L(w), a row for each direction u."""
    base = float(objective.value(w))
    return np.array(
        [
            [(float(objective.value(w + s * u)) + float(objective.value(w - s * u))) / 2 - base for s in reach]
            for u in directions.T
        ]
    )


def objective_of(problem: str, seed: int) -> Objective:
    """The objective of that name."""
    if problem == "digits":
        return digits_mlp(n=300, widths=(32, 32), seed=seed, dtype=torch.float64).objective()
    return chebyshev_mlp(degree=4, seed=seed, dtype=torch.float64).objective()
