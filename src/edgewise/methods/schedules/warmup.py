"""Linear warm-up: up to a step size that would be too large at the start."""

from dataclasses import dataclass
from typing import final

from edgewise.methods.schedules.schedule import Schedule, require_lr, require_step_size, require_steps, step_size


@final
@dataclass(frozen=True, slots=True)
class Warmup(Schedule):
    """Linear warm-up to a step size, or to the beginning of another schedule.

        ηₜ = initial + (F − initial) t / steps for t < steps, then `final` from its own step 0 on,

    where F is `final`, or `final.at(0)`. Equal to `torch.optim.lr_scheduler.LinearLR`, followed in a
    `SequentialLR` by what `final` is. Raised slowly, a step size lets the sharpness fall out of its way, so
    that a larger one can be reached.

    Args:
        final: η after the warm-up: a number or a `Schedule`.
        steps: how long it takes.
        initial: η of the first step; None takes F / (steps + 1), from where the steps up are equal.

    Example:
        >>> [round(Warmup(0.5, steps=4).at(t), 9) for t in (0, 1, 2, 3, 4, 5)]
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.5]

    References:
        goyal2017accurate, kalra2024warmup
    """

    final: float | int | Schedule
    steps: int
    initial: float | int | None = None

    def __post_init__(self) -> None:
        require_lr(self.final, "final")
        if self.initial is not None:
            require_step_size("initial", self.initial)
        require_steps(self.steps)

    def at(self, step: int) -> float:
        """On the way up before step number `steps`, `final` from it on."""
        if step >= self.steps:
            return step_size(self.final, step - self.steps)
        top = step_size(self.final, 0)
        bottom = top / (self.steps + 1) if self.initial is None else self.initial
        return bottom + (top - bottom) * step / self.steps
