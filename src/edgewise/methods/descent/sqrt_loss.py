"""Gradient descent on the square root of the loss: a slope that does not vanish at a minimum."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.foundation import Parameters, SettingError
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_number
from edgewise.methods.schedules import Schedule, require_lr, step_size_in
from edgewise.objectives import Objective, Point


@final
@dataclass(frozen=True, slots=True)
class SqrtLossGDState:
    """What gradient descent on √(L − min L) carries.

    Attributes:
        step: the number of steps taken.
        root: √(L − min L) where it was last looked at; None before anything was seen.
    """

    step: int
    root: float | None


@final
@dataclass(frozen=True, slots=True)
class SqrtLossGD(Method[SqrtLossGDState]):
    """Gradient descent on the square root of the loss above its minimum.

        w' = w − η ∇f(w),    f = √(L − min L),    ∇f = ∇L/(2f)

    The Hessian of f is ∇²L/(2f) − ∇L ∇Lᵀ/(4f³). Of the two terms the first alone is taken: a mode of curvature λ
    of L is multiplied by 1 − ηλ/(2f), and the critical curvature, of L and not of f, is 4f/η, a function of
    what the state has seen. The neglected term has rank one, is negative, and acts along the gradient only:
    modes orthogonal to the gradient are described exactly, and along the gradient 4f/η is too low. (On
    L = ½λx² it cancels the first one altogether: f = √(λ/2)|x| has no curvature but its kink, around which the
    iterate oscillates with fₜ + fₜ₊₁ = ηλ/2.) Near a manifold of minimisers it drifts along
    dX/dτ = −⅛ P ∇λ₁(H(X)), τ = η² t. At the minimum itself it stays.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        minimum: min L; zero for a loss that a network can fit exactly.

    Raises:
        SettingError: if `lr` is not positive and finite or `minimum` is not finite; on the way, if the loss
            falls below `minimum`.

    Example:
        >>> from edgewise.objectives import Objective
        >>> objective = Objective.from_function(lambda w: (w**2).sum(), 2, start=torch.tensor([3.0, 4.0]))
        >>> method = SqrtLossGD(0.5)
        >>> at = objective.at(objective.start)
        >>> gradient, state = method.look(objective, at, method.init(at.w))
        >>> gradient  # of ‖w‖
        tensor([0.6000, 0.8000], dtype=torch.float64)
        >>> method.critical_curvature(state)
        40.0

    References:
        arora2022understanding
    """

    lr: float | int | Schedule
    minimum: float | int = 0.0

    def __post_init__(self) -> None:
        require_lr(self.lr)
        why, fix = "the least loss is a finite number", "Leave it out if that is 0"
        require_number("minimum", self.minimum, lambda minimum: True, why, fix)

    def init(self, w: Parameters) -> SqrtLossGDState:
        """No step taken and nothing seen yet."""
        return SqrtLossGDState(step=0, root=None)

    def look(
        self, objective: Objective, point: Point, state: SqrtLossGDState
    ) -> tuple[Parameters, SqrtLossGDState]:
        """∇f(w) = ∇L(w)/(2f), where f = √(L(w) − min L) is remembered; zero where f is.

        Raises:
            SettingError: if L(w) lies below `minimum` by more than rounding.
        """
        above = float(point.value) - self.minimum
        # A mean over the data is known to some units in its last place.
        rounding = 10.0 * torch.finfo(point.value.dtype).eps * abs(self.minimum)
        if -rounding <= above < 0.0:
            above = 0.0
        if above < 0.0:
            raise SettingError(
                f"a loss of {float(point.value):.9g} below minimum={self.minimum:.9g}",
                "the square root of L − min L is not real there",
                f"Type SqrtLossGD({self.lr}, minimum=…) with a number that the loss cannot fall below",
            )
        root = math.sqrt(above)
        gradient = point.gradient / (2.0 * root) if root != 0.0 else torch.zeros_like(point.gradient)
        return gradient, SqrtLossGDState(state.step, root)

    def step(
        self, w: Parameters, gradient: Parameters, state: SqrtLossGDState
    ) -> tuple[Parameters, SqrtLossGDState]:
        """w − η ∇f(w), and one more step counted; `gradient` is the ∇f that `look` returned."""
        return w.add(gradient, alpha=-self.step_size_at(state)), SqrtLossGDState(state.step + 1, state.root)

    def step_size_at(self, state: SqrtLossGDState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: SqrtLossGDState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ/(2f)], for the f that the state has seen.

        Raises:
            SettingError: if the state has not looked, or has seen only the minimum.
        """
        if state is None or not state.root:
            raise SettingError(
                "SqrtLossGD and no loss above its minimum seen",
                "a mode is multiplied by 1 − ηλ/(2√(L − min L)), which the state knows after a look",
                "Type gradient, state = method.look(objective, point, state) and give that state",
            )
        return np.array([[1.0 - self.step_size_at(state) * curvature / (2.0 * state.root)]])

    @property
    def critical_curvature(self) -> Callable[[SqrtLossGDState], float]:
        """4√(L − min L)/η, for the loss that the state has seen; NaN before it has seen one."""
        return lambda state: math.nan if state.root is None else 4.0 * state.root / self.step_size_at(state)

    @property
    def critical_formula(self) -> str:
        """`4√(L − min L)/η`."""
        return "4√(L − min L)/η"
