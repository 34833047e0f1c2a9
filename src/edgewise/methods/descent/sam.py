"""Sharpness-aware minimisation: the gradient uphill of here, and an edge that sinks with the gradient."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters, SettingError
from edgewise.methods.descent.normalized import length
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_number
from edgewise.methods.schedules import Schedule, require_lr, step_size_in
from edgewise.objectives import Objective, Point


@final
@dataclass(frozen=True, slots=True)
class SAMState:
    """What sharpness-aware minimisation carries.

    Attributes:
        step: the number of steps taken.
        gradient_norm: ‖∇L(w)‖ where it was last looked at; None before anything was seen.
    """

    step: int
    gradient_norm: float | None


@final
@dataclass(frozen=True, slots=True)
class SAM(Method[SAMState]):
    """Sharpness-aware minimisation with full-batch gradient descent below it.

        w' = w − η ∇L(w + ρ ∇L(w)/‖∇L(w)‖)

    With ‖g‖ = ‖∇L(w)‖ held, a mode of curvature λ is multiplied by 1 − ηλ(1 + ρλ/‖g‖), so the critical
    curvature solves ηλ(1 + ρλ/‖g‖) = 2:

        (‖g‖/(2ρ)) (√(1 + 8ρ/(η‖g‖)) − 1) = (4/η) / (1 + √(1 + 8ρ/(η‖g‖))) < 2/η.

    It is a function of what the state has seen, and sinks to zero with the gradient: 2/η for ρ/‖g‖ → 0,
    √(2‖g‖/(ηρ)) for ‖g‖ → 0. A step takes two gradients. Where the gradient is zero it stays.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        rho: ρ ≥ 0, how far uphill; 0 is gradient descent.

    Raises:
        SettingError: if `lr` is not positive and finite, or `rho` is negative or not finite.

    Example:
        >>> SAM(0.5, rho=1.0).critical_curvature(SAMState(step=0, gradient_norm=2.0))
        2.0

    References:
        foret2021sharpness, long2023sharpness
    """

    lr: float | int | Schedule
    rho: float | int

    def __post_init__(self) -> None:
        require_lr(self.lr)
        why, fix = "the distance uphill is finite and not negative", "Type rho=0.05, or use GradientDescent(lr)"
        require_number("rho", self.rho, lambda rho: rho >= 0, why, fix)

    def init(self, w: Parameters) -> SAMState:
        """No step taken and nothing seen yet."""
        return SAMState(step=0, gradient_norm=None)

    def look(self, objective: Objective, point: Point, state: SAMState) -> tuple[Parameters, SAMState]:
        """∇L at w + ρ ∇L(w)/‖∇L(w)‖; the norm of ∇L(w) is remembered."""
        gradient = point.gradient
        norm = length(gradient)
        if norm != 0.0:
            gradient = objective.gradient(point.w.add(gradient / norm, alpha=self.rho))
        return gradient, SAMState(state.step, norm)

    def step(self, w: Parameters, gradient: Parameters, state: SAMState) -> tuple[Parameters, SAMState]:
        """w − η g, where `gradient` is the one uphill that `look` returned, and one more step counted."""
        return w.add(gradient, alpha=-self.step_size_at(state)), SAMState(state.step + 1, state.gradient_norm)

    def step_size_at(self, state: SAMState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: SAMState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ(1 + ρλ/‖g‖)], for the ‖g‖ that the state has seen.

        Raises:
            SettingError: if the state has seen no gradient, or only a zero one.
        """
        if state is None or not state.gradient_norm:
            raise SettingError(
                "SAM and no gradient seen",
                "a mode is multiplied by 1 − ηλ(1 + ρλ/‖∇L‖), which the state knows after a look",
                "Type gradient, state = method.look(objective, point, state) and give that state",
            )
        uphill = 1.0 + self.rho * curvature / state.gradient_norm
        return np.array([[1.0 - self.step_size_at(state) * curvature * uphill]])

    def curvature_where(self, reach: float, state: SAMState) -> float:
        """The curvature λ at which ηλ(1 + ρλ/‖g‖) = `reach`, for the ‖g‖ that the state has seen."""
        eta, norm = self.step_size_at(state), state.gradient_norm
        if norm is None:
            return math.nan
        if norm == 0.0:
            return 0.0 if self.rho else reach / eta
        # The form without a difference of nearly equal numbers.
        return 2.0 * reach / eta / (1.0 + math.sqrt(1.0 + 4.0 * reach * self.rho / (eta * norm)))

    @property
    def critical_curvature(self) -> Callable[[SAMState], float]:
        """(‖g‖/(2ρ)) (√(1 + 8ρ/(η‖g‖)) − 1), for the ‖g‖ that the state has seen; NaN before it has seen one."""
        return lambda state: self.curvature_where(2.0, state)

    @property
    def critical_formula(self) -> str:
        """`(‖g‖/2ρ)(√(1+8ρ/(η‖g‖))−1)`."""
        return "(‖g‖/2ρ)(√(1+8ρ/(η‖g‖))−1)"

    def gradients_per_step(self, objective: Objective) -> float:
        """One at w, one uphill."""
        return 2.0
