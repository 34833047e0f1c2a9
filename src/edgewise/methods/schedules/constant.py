"""The same step size at every step."""

from dataclasses import dataclass
from typing import final

from edgewise.methods.schedules.schedule import Schedule, require_step_size


@final
@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    """The same step size at every step.

    Args:
        value: η > 0.
    """

    value: float | int

    def __post_init__(self) -> None:
        require_step_size("value", self.value)

    def at(self, step: int) -> float:
        """η, whatever the step."""
        return float(self.value)
