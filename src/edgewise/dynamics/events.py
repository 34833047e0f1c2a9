"""What ends a process early: goals reached, and things gone wrong.

An event looks at the readings of a step before the step is taken, so a stopped process stands exactly where
the event was seen.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

from edgewise.dynamics.frame import Readings
from edgewise.dynamics.outcome import Outcome
from edgewise.foundation import SettingError

# A loss this small is rounding, whatever its scale.
_FITTED = 1e-12


class Event(ABC):
    """A reason to stop.

    Attributes:
        reads: the series that it looks at, the first that has a reading; a run that reads none of them is refused.
    """

    __slots__ = ()

    reads: ClassVar[tuple[str, ...]] = ()

    def init(self) -> Any:
        """What it remembers before the first step; None for nothing."""
        return None

    @abstractmethod
    def check(self, step: int, readings: Readings, state: Any) -> tuple[Outcome | None, Any]:
        """Whether the readings of `step` end the process, and the next state."""


@final
@dataclass(frozen=True, slots=True)
class NonFinite(Event):
    """The loss is NaN or infinite. Every run stops there, asked to or not."""

    reads: ClassVar[tuple[str, ...]] = ("loss",)

    def check(self, step: int, readings: Readings, state: Any) -> tuple[Outcome | None, Any]:
        """Stop if the loss is not a number."""
        loss = _number(readings, "loss")
        if loss is None or math.isfinite(loss):
            return None, None
        sentence = f"Stopped at step {step}: the loss is {loss}. The step size is above what the method can bear."
        return Outcome("non-finite", step, sentence), None


@final
@dataclass(frozen=True, slots=True)
class Diverged(Event):
    """The loss is `factor` times what it was at the start.

    Catapults multiply the loss by tens before it falls again; a factor of ten thousand is beyond them. A start on
    the manifold of minimisers has no loss to compare with: there the first loss above 1e-12 counts.
    """

    factor: float = 1e4
    reads: ClassVar[tuple[str, ...]] = ("loss",)

    def __post_init__(self) -> None:
        if not self.factor > 1:
            raise SettingError(
                f"factor={self.factor}", "the loss always reaches itself", "Type factor=1e4, or another above 1"
            )

    def check(self, step: int, readings: Readings, state: Any) -> tuple[Outcome | None, Any]:
        """Stop if the loss exceeds `factor` times the first loss seen."""
        loss = _number(readings, "loss")
        if loss is None:
            return None, state
        if state is None and abs(loss) <= _FITTED:
            return None, None
        first = loss if state is None else state
        if not loss > self.factor * abs(first):
            return None, first
        times = f"{loss:.3g}, more than {self.factor:g} times its start"
        return Outcome("diverged", step, f"Stopped at step {step}: diverged, the loss is {times}."), first


@final
@dataclass(frozen=True, slots=True)
class LossBelow(Event):
    """The loss has fallen below a goal."""

    goal: float
    reads: ClassVar[tuple[str, ...]] = ("loss",)

    def check(self, step: int, readings: Readings, state: Any) -> tuple[Outcome | None, Any]:
        """Stop if the loss is below the goal."""
        loss = _number(readings, "loss")
        if loss is None or not loss < self.goal:
            return None, None
        return Outcome("goal", step, f"Stopped at step {step}: the loss is below {self.goal:g}."), None


@final
@dataclass(frozen=True, slots=True)
class AccuracyAbove(Event):
    """The training accuracy has risen above a goal. References: cohen2021gradient (0.99)."""

    goal: float = 0.99
    reads: ClassVar[tuple[str, ...]] = ("accuracy",)

    def check(self, step: int, readings: Readings, state: Any) -> tuple[Outcome | None, Any]:
        """Stop if the accuracy is above the goal."""
        accuracy = _number(readings, "accuracy")
        if accuracy is None or not accuracy > self.goal:
            return None, None
        return Outcome("goal", step, f"Stopped at step {step}: the accuracy is above {self.goal:g}."), None


@final
@dataclass(frozen=True, slots=True)
class EdgeHeld(Event):
    """The edge of stability has been held for so many steps.

    Counted from the first reading with an edge ratio of one or more; counted anew if the ratio falls
    below `leave`. Of a method with a preconditioner it is the effective edge ratio that counts.
    """

    steps: int = 1000
    leave: float = 0.8
    reads: ClassVar[tuple[str, ...]] = ("effective_edge_ratio", "edge_ratio")

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise SettingError(f"steps={self.steps}", "the edge is held for a while", "Type steps=1000")

    def check(self, step: int, readings: Readings, state: Any) -> tuple[Outcome | None, Any]:
        """Stop if the edge was reached `steps` steps ago and has not been left since."""
        ratio = next((found for name in self.reads if (found := _number(readings, name)) is not None), None)
        if ratio is not None:
            if state is None and ratio >= 1:
                state = step
            elif ratio < self.leave:
                state = None
        if state is None or step - state < self.steps:
            return None, state
        sentence = f"Stopped at step {step}: the edge has been held since step {state}."
        return Outcome("goal", step, sentence), state


def _number(readings: Readings, name: str) -> float | None:
    value = readings.get(name)
    if isinstance(value, Sequence):
        return value[0] if value else None
    return value
