"""Step-size schedules: η as a function of the step number, and of nothing else.

A method's `lr` is a number or one of these. A schedule holds no state: the step number is part of the
method's state, so a resumed run finds its place by itself.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from edgewise.foundation import SettingError


class Schedule(ABC):
    """A step size that may change from step to step: ηₜ = at(t)."""

    __slots__ = ()

    @abstractmethod
    def at(self, step: int) -> float:
        """The step size of step number `step` (from 0)."""


@final
@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    """The same step size at every step.

    Args:
        value: η > 0.
    """

    value: float

    def __post_init__(self) -> None:
        require_step_size("value", self.value)

    def at(self, step: int) -> float:
        """η, whatever the step."""
        return self.value


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

    initial: float
    final: float
    step: int

    def __post_init__(self) -> None:
        require_step_size("initial", self.initial)
        require_step_size("final", self.final)
        if self.step < 0:
            raise SettingError(
                f"step={self.step}", "steps are counted from 0", "Type the step of the drop, as in step=6000"
            )

    def at(self, step: int) -> float:
        """`initial` before the drop, `final` from it on."""
        return self.initial if step < self.step else self.final


def require_step_size(name: str, value: float) -> None:
    """Refuse a step size that is not a positive, finite number."""
    if not (math.isfinite(value) and value > 0):
        raise SettingError(
            f"{name}={value}",
            "a step size is a positive, finite number",
            f"Type {name}=0.01, or 2/S to put the edge of gradient descent at sharpness S",
        )


def require_lr(lr: float | Schedule) -> None:
    """Refuse an `lr` that is neither a schedule (which has checked itself) nor a step size."""
    if not isinstance(lr, Schedule):
        require_step_size("lr", lr)


def step_size(lr: float | Schedule, step: int | None) -> float:
    """η: the number `lr` itself, or what the schedule `lr` says at `step`.

    Raises:
        SettingError: if `lr` is a schedule and no step is given.
    """
    if not isinstance(lr, Schedule):
        return lr
    if step is None:
        raise SettingError(
            f"lr={lr} and no state",
            "with a schedule the step size depends on the step, which the state knows",
            "Give the state, as in method.companion(curvature, state)",
        )
    return lr.at(step)
