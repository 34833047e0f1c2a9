"""What a probe sees: one process at one step, before the step is taken."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from torch import Tensor

from edgewise.flows import Prediction
from edgewise.foundation import Parameters
from edgewise.linalg import Operator, Preconditioner
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
        step_size: that step size.
    """

    w: Tensor
    critical_curvature: float
    step_size: float


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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
        gradient: what a method's coming step takes as its gradient; None for a flow and a midpoint.
        cost: gradient equivalents spent on coming here.
        precondition: makes the preconditioner of the coming step; use the property.
        seen: the Hessian of what a method descends, from that of L.
        predict: makes what a flow predicts here; use the property.
        others: the frames of all processes that go on at this step, by name.
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
    gradient: Parameters | None = None
    cost: float = 0.0
    precondition: Callable[[], Preconditioner | None] = lambda: None
    seen: Callable[[Operator], Operator] = lambda hessian: hessian
    predict: Callable[[], Prediction | None] = lambda: None
    others: dict[str, "Frame"] = field(default_factory=dict)

    @property
    def preconditioner(self) -> Preconditioner | None:
        """P of the coming step; None or the identity where there is none."""
        return self.precondition()

    @property
    def prediction(self) -> Prediction | None:
        """What a flow says about the discrete run at this time; None for other processes."""
        return self.predict()
