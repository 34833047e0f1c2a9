"""Step-size schedules: η as a function of the step number, and of nothing else.

A method's `lr` is a number or one of these. A schedule holds no state: the step number is part of the
method's state, so a resumed run finds its place by itself.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

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

    value: float | int

    def __post_init__(self) -> None:
        require_step_size("value", self.value)

    def at(self, step: int) -> float:
        """η, whatever the step."""
        return float(self.value)


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
        if self.step < 0:
            raise SettingError(
                f"step={self.step}", "steps are counted from 0", "Type the step of the drop, as in step=6000"
            )

    def at(self, step: int) -> float:
        """`initial` before the drop, `final` from it on."""
        return float(self.initial if step < self.step else self.final)


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
        if not isinstance(self.final, Schedule):
            require_step_size("final", self.final)
        if self.initial is not None:
            require_step_size("initial", self.initial)
        _require_steps(self.steps)

    def at(self, step: int) -> float:
        """On the way up before step number `steps`, `final` from it on."""
        if step >= self.steps:
            return step_size(self.final, step - self.steps)
        top = step_size(self.final, 0)
        bottom = top / (self.steps + 1) if self.initial is None else self.initial
        return bottom + (top - bottom) * step / self.steps


@final
@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    """Half a cosine from one step size down to another, where it stays.

        ηₜ = final + (initial − final) (1 + cos(π t / steps)) / 2 for t < steps, final for t ≥ steps.

    Equal to `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=steps, eta_min=final)` up to its end; that
    one rises again afterwards.

    Args:
        initial: η of the first step.
        final: η at the end; positive, since a method needs a step size even there.
        steps: how long it takes.

    Example:
        >>> [round(Cosine(0.4, 0.2, steps=2).at(t), 9) for t in (0, 1, 2, 3)]
        [0.4, 0.3, 0.2, 0.2]

    References:
        loshchilov2017sgdr
    """

    initial: float | int
    final: float | int
    steps: int

    def __post_init__(self) -> None:
        require_step_size("initial", self.initial)
        require_step_size("final", self.final)
        _require_steps(self.steps)

    def at(self, step: int) -> float:
        """On the cosine before step number `steps`, `final` from it on."""
        if step >= self.steps:
            return float(self.final)
        return self.final + (self.initial - self.final) * (1.0 + math.cos(math.pi * step / self.steps)) / 2.0


def require_step_size(name: str, value: Any) -> None:
    """Refuse a step size that is not a positive, finite number."""
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise SettingError(f"{name}={value!r}", "a step size is a number", f"Type {name}=0.01, or float({name})")
    if not (math.isfinite(value) and value > 0):
        raise SettingError(
            f"{name}={value}",
            "a step size is a positive, finite number",
            f"Type {name}=0.01, or 2/S to put the edge of gradient descent at sharpness S",
        )


def require_lr(lr: float | int | Schedule) -> None:
    """Refuse an `lr` that is neither a schedule (which has checked itself) nor a step size."""
    if not isinstance(lr, Schedule):
        require_step_size("lr", lr)


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


def _require_steps(steps: int) -> None:
    if steps < 1:
        raise SettingError(f"steps={steps}", "a way from one step size to another takes a step", "Type steps=100")
