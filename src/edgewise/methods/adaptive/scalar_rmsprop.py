"""Scalar RMSProp: gradient descent whose one step size adapts to the gradient norm, and so does its edge."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.foundation import Parameters, SettingError
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_eps, require_share
from edgewise.methods.schedules import Schedule, require_lr, step_size_in
from edgewise.objectives import Objective, Point


@final
@dataclass(frozen=True, slots=True)
class ScalarRMSPropState:
    """What scalar RMSProp carries.

    Attributes:
        step: the number of steps taken.
        square_average: ν, the average of the squared gradient norm; None before the first gradient.
        coming: ν' of the coming step, once it has been looked at; None before.
    """

    step: int
    square_average: float | None
    coming: float | None = None


@final
@dataclass(frozen=True, slots=True)
class ScalarRMSProp(Method[ScalarRMSPropState]):
    """Gradient descent with one adaptive step size for all parameters.

        ν' = β₂ ν + (1 − β₂) ‖g‖²,    w' = w − η g / (√ν' + ε),    g = ∇L(w)

    A mode of the Hessian itself is multiplied by 1 − ηλ/(√ν' + ε), so the critical curvature moves with the
    gradient norm: 2(√ν' + ε)/η, a function of the state that `look` returns. Before a look it is that of the ν of
    the last step, and NaN before the first gradient.

    ν starts at the first squared gradient norm, where the recursion would rest if that stayed: the first step is
    a normalised one, of length η. (Started at zero it would be 1/√(1 − β₂) times as long.)

    Args:
        lr: η, the step size: a positive number or a `Schedule`; the clock counts in it.
        beta2: β₂ in [0, 1), the share of ν that is kept.
        eps: ε ≥ 0, outside the root.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> method = ScalarRMSProp(0.1, beta2=0.5)
        >>> w, state = method.step(torch.zeros(2), torch.tensor([3.0, 4.0]), method.init(torch.zeros(2)))
        >>> state.square_average, round(method.critical_curvature(state), 5)
        (25.0, 100.0)

    References:
        cohen2025understanding
    """

    lr: float | int | Schedule
    beta2: float | int = 0.99
    eps: float | int = 1e-8

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_share("beta2", self.beta2, "Type beta2=0.99")
        require_eps(self.eps)

    def init(self, w: Parameters) -> ScalarRMSPropState:
        """Nothing seen yet."""
        return ScalarRMSPropState(step=0, square_average=None)

    def look(
        self, objective: Objective, point: Point, state: ScalarRMSPropState
    ) -> tuple[Parameters, ScalarRMSPropState]:
        """∇L(w), and the ν' that it makes noted, so that the edge of the coming step is known."""
        return point.gradient, replace(state, coming=self._coming(point.gradient, state))

    def step(
        self, w: Parameters, gradient: Parameters, state: ScalarRMSPropState
    ) -> tuple[Parameters, ScalarRMSPropState]:
        """w − η g/(√ν' + ε), and one more step counted."""
        coming = self._coming(gradient, state)
        divisor = math.sqrt(coming) + self.eps
        # Where no gradient was ever other than zero there is nothing to divide.
        w = w.add(gradient, alpha=-self.step_size_at(state) / divisor if divisor else 0.0)
        return w, ScalarRMSPropState(step=state.step + 1, square_average=coming)

    def step_size_at(self, state: ScalarRMSPropState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: ScalarRMSPropState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ/(√ν' + ε)].

        Raises:
            SettingError: if no state is given, or one that has seen no gradient.
        """
        critical = math.nan if state is None else self._critical(state)
        if not critical > 0:
            raise SettingError(
                "scalar RMSProp and no gradient",
                "its step is divided by the average gradient norm, which the state knows once it has seen one",
                "Give the state that method.look or method.step returns",
            )
        return np.array([[1.0 - 2.0 * curvature / critical]])

    @property
    def critical_curvature(self) -> Callable[[ScalarRMSPropState], float]:
        """2(√ν' + ε)/η, a function of the state."""
        return self._critical

    @property
    def critical_formula(self) -> str:
        """`2√ν/η`."""
        return "2√ν/η"

    def _critical(self, state: ScalarRMSPropState) -> float:
        seen = state.square_average if state.coming is None else state.coming
        return math.nan if seen is None else 2.0 * (math.sqrt(seen) + self.eps) / self.step_size_at(state)

    def _coming(self, gradient: Parameters, state: ScalarRMSPropState) -> float:
        """ν' from the gradient and the ν of the last step, whether or not it has been looked at already."""
        norm = float(torch.linalg.vector_norm(gradient, dtype=torch.float64))
        square = norm * norm
        before = square if state.square_average is None else state.square_average
        return self.beta2 * before + (1 - self.beta2) * square
