"""How much of the expected decrease a step brings, and how smooth the loss was along it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

from torch import Tensor

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class RelativeProgress(Probe):
    """Relative progress and directional smoothness of the step from w to w', with g = ∇L(w).

        RP = (L(w') − L(w)) / (η‖g‖²),     DS = ⟨g, g − ∇L(w')⟩ / (η‖g‖²)

    RP is −1 for a step of gradient flow and near 0 at the edge, where steps no longer decrease the loss; DS is
    the mean curvature along the step, near 2/η there. For gradient descent on a quadratic
    RP = −1 + (η/2) DS.

    The readings belong to the step that was taken, and are known one step later. Both hold for a step
    w' = w − ηg along the gradient of the full batch: with momentum, a preconditioner or mini-batches the same
    formulas are read, and are no longer the paper's quantities. Read at every step they are free, else a
    gradient a reading.

    References:
        ahn2022understanding
    """

    every: int = 1
    history: ClassVar[int] = 1
    lag: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require_every(self.every)

    def series(self) -> tuple[Series, ...]:
        """`relative_progress` and `directional_smoothness`."""
        return (
            Series("relative_progress", units="1", long_name="change of the loss / η‖g‖²"),
            Series("directional_smoothness", units="loss / parameter²", long_name="mean curvature along the step"),
        )

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """Both, of the previous step; nothing before there is one, or where the gradient vanishes."""
        seen = (frame.step, frame.point.value, frame.point.gradient)
        if not frame.history:
            return {}, seen
        value, g = before(frame, state)
        eta = frame.history[0].step_size
        expected = eta * float(g.double() @ g.double())
        if not 0.0 < expected < math.inf:
            return {}, seen
        progress = (float(frame.point.value) - float(value)) / expected
        change = g.double() - frame.point.gradient.double()
        smoothness = float(g.double() @ change) / expected
        return {"relative_progress": progress, "directional_smoothness": smoothness}, seen


def before(frame: Frame, seen: tuple[int, Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """L and ∇L at the previous point: as they were seen there, or else evaluated again, to the same bit.

    Args:
        frame: with a history.
        seen: step, value and gradient at the last reading; None before there was one.
    """
    if seen is not None and seen[0] == frame.step - 1:
        return seen[1], seen[2]
    again = frame.objective.evaluate(frame.history[0].w)
    return again.value, again.gradient
