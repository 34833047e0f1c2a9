"""Step-size schedules: η as a function of the step number, and of nothing else.

A method's `lr` is a number or one of these. A schedule holds no state: the step number is part of the
method's state, so a resumed run finds its place by itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from edgewise.foundation import SettingError
from edgewise.methods.requirements import require_count, require_number


class Schedule(ABC):
    """A step size that may change from step to step: ηₜ = at(t)."""

    __slots__ = ()

    @abstractmethod
    def at(self, step: int) -> float:
        """The step size of step number `step` (from 0)."""


def step_size(lr: float | int | Schedule, step: int | None) -> float:
    """η: the number `lr` itself, or what the schedule `lr` says at `step`.

    Raises:
        SettingError: if `lr` is a schedule and no step is given.
    """
    if not isinstance(lr, Schedule):
        return float(lr)
    if step is None:
        raise SettingError(
            f"lr={lr} and no state",
            "with a schedule the step size depends on the step, which the state knows",
            "Give the state, as in method.companion(curvature, state)",
        )
    return lr.at(step)


def step_size_in(lr: float | int | Schedule, state: Any) -> float:
    """η of the step that would be taken from `state`; there need not be one if `lr` is a number."""
    return step_size(lr, None if state is None else state.step)


def by_step_size(
    lr: float | int | Schedule, quantity: Callable[[float | int], float]
) -> float | Callable[[Any], float]:
    """What depends on η alone: a number, or a function of the state where η follows a schedule."""
    if isinstance(lr, Schedule):
        return lambda state: quantity(lr.at(state.step))
    return quantity(lr)


def require_lr(lr: Any, name: str = "lr") -> None:
    """Refuse what is neither a schedule (which has checked itself) nor a step size."""
    if not isinstance(lr, Schedule):
        require_step_size(name, lr)


def require_step_size(name: str, value: Any) -> None:
    """Refuse a step size that is not a positive, finite number."""
    require_number(
        name,
        value,
        lambda size: size > 0,
        "a step size is a positive, finite number",
        f"Type {name}=0.01, or 2/S to put the edge of gradient descent at sharpness S",
    )


def require_steps(steps: Any) -> None:
    """Refuse a way from one step size to another that takes no step."""
    require_count("steps", steps, 1, "a way from one step size to another takes a step", "Type steps=100")
