"""Objectives whose descents at the edge of stability are known in closed form, or transcribed in a few lines."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgewise.flows import Flow
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective


def minimal(
    critical: float, s1: float = 1.0, g: float = 0.05, start: tuple[float, float] = (0.1, 0.0)
) -> Objective:
    """L = ½ (2/η + s₁y) x² − g y: α = g s₁, β = s₁², δ² = 2g/s₁ exactly; its descent is the reduced map."""
    return Objective.from_function(
        lambda w: 0.5 * (critical + s1 * w[1]) * w[0] ** 2 - g * w[1],
        2,
        start=torch.tensor(start, dtype=torch.float64),
    )


def coupled(critical: float, slopes: Any, forces: Any, start: Any) -> Objective:
    """L = ½ xᵀ(2/η I + Σ yₖ Sₖ) x − g·y, with several critical modes x."""
    S, g, start = (torch.as_tensor(each, dtype=torch.float64) for each in (slopes, forces, start))
    k = S.shape[1]

    def loss(w: Tensor) -> Tensor:
        x, y = w[:k], w[k:]
        return 0.5 * x @ (critical * torch.eye(k).double() + torch.einsum("k,kij->ij", y, S)) @ x - g @ y

    return Objective.from_function(loss, k + len(g), start=start)


def descend(method: AnyMethod, objective: Objective, steps: int) -> np.ndarray[Any, Any]:
    """The iterates of a method, `steps + 1` of them."""
    w, state, points = objective.start, method.init(objective.start), []
    for _ in range(steps + 1):
        points.append(w.numpy())
        gradient, state = method.look(objective, objective.at(w, products=False), state)
        w, state = method.step(w, gradient, state)
    return np.array(points)


def follow(flow: Flow[Any], objective: Objective, steps: int, start: Tensor | None = None) -> Any:
    """Point and state of a flow at every step from 0 on."""
    w = objective.start if start is None else start
    state = flow.init(objective, w, seed=0)
    yield w, state
    for step in range(steps):
        point = objective.at(w, products=flow.products)
        w, state = flow.advance(objective, point, state, flow.step_size_at(step))
        yield w, state
