"""What a probe sees: one process at one step, before the step is taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.objectives import Objective, Point

Readings = Mapping[str, float | Sequence[float]]
"""Named numbers read at one step; a sequence runs along the series' extra dimension."""


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """An earlier point of a process.

    Attributes:
        w: the point.
        critical_curvature: where the method lost stability at the step size of the step taken from it.
    """

    w: Tensor
    critical_curvature: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One process at one step.

    Attributes:
        step: steps taken so far.
        time: accumulated step sizes Σ η, the clock that discrete and continuous processes share.
        w: the present point.
        start: where the process started.
        history: earlier points, latest first, as many as the probes of the run ask for (fewer at the start).
        point: the objective at w; all probes share its graph.
        objective: the objective itself, for probes that look elsewhere than at w.
        step_size: η of the coming step.
        critical_curvature: where the method loses stability at that step size.
    """

    step: int
    time: float
    w: Parameters
    start: Parameters
    history: tuple[Past, ...]
    point: Point
    objective: Objective
    step_size: float
    critical_curvature: float
