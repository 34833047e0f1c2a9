"""A step of an integrator that has been taken, and everything in between."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from edgewise.curvature import TrackerState
from edgewise.flows.cost import Cost
from edgewise.foundation import Vector


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stride:
    """The step under way: both its ends, and what the next one starts from.

    Attributes:
        start: the time at which it starts.
        end: the time at which it ends; that of its start before the first step.
        y0: y there at the start.
        y1: y at the end.
        f0: f(y0).
        f1: f(y1).
        memory: what the integrator remembers of it.
        rate: a bound of the spectral radius of f', as last measured.
        unread: how often f was evaluated since then.
        length: how long the next step is going to be tried.
        error: the estimated error, in tolerances.
        travelled: the length of the path up to the end.
        steps: how many steps were taken.
        rejected: how many were tried in vain.
        tracker: what the tracker carries.
        cost: what was asked of the objective so far.
    """

    start: float
    end: float
    y0: Tensor
    y1: Tensor
    f0: Tensor
    f1: Tensor
    memory: Tensor | None
    rate: float
    unread: int
    length: float
    error: float
    travelled: float
    steps: int
    rejected: int
    tracker: TrackerState
    cost: Cost

    def at(self, time: float) -> Vector:
        """y at a time within the step, by cubic Hermite interpolation.

            y(t) = y₀ + (3θ² − 2θ³)(y₁ − y₀) + h (θ − 2θ² + θ³) f₀ + h (θ³ − θ²) f₁,    θ = (t − t₀)/h

        Its error is O(h⁴) within one step, and does not add up from step to step.
        """
        if time >= self.end:
            return self.y1.clone()
        h = self.end - self.start
        θ = (time - self.start) / h
        y = (self.y1 - self.y0).mul_(θ * θ * (3.0 - 2.0 * θ))
        y.add_(self.f0, alpha=h * θ * (1.0 - θ) ** 2).add_(self.f1, alpha=h * θ * θ * (θ - 1.0))
        return y.add_(self.y0)
