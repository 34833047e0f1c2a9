"""A drop: a smaller step size, or a larger one, from some step on."""

from dataclasses import dataclass
from typing import final

from edgewise.methods.requirements import require_count
from edgewise.methods.schedules.schedule import Schedule, require_step_size


@final
@dataclass(frozen=True, slots=True)
class Drop(Schedule):
    """One step size before step number `step`, another from it on.

        ηₜ = initial for t < step, final for t ≥ step.

    At the edge of stability a drop lifts the critical curvature, and the sharpness starts to grow
    again: "sharpness is still trying to grow" (their Figure 7).

    Args:
        initial: η before the drop.
        final: η from it on.
        step: the first step taken with `final`.

    Example:
        >>> drop = Drop(2 / 200, 2 / 300, step=6000)
        >>> drop.at(5999) == 2 / 200, drop.at(6000) == 2 / 300
        (True, True)

    References:
        cohen2021gradient
    """

    initial: float | int
    final: float | int
    step: int

    def __post_init__(self) -> None:
        require_step_size("initial", self.initial)
        require_step_size("final", self.final)
        require_count(
            "step", self.step, 0, "steps are counted from 0", "Type the step of the drop, as in step=6000"
        )

    def at(self, step: int) -> float:
        """`initial` before the drop, `final` from it on."""
        return float(self.initial if step < self.step else self.final)
