"""Gradient descent: the method whose edge is 2/η."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters
from edgewise.methods.method import Method
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


@final
@dataclass(frozen=True, slots=True)
class GradientDescentState:
    """What gradient descent carries: the number of steps taken."""

    step: int


@final
@dataclass(frozen=True, slots=True)
class GradientDescent(Method[GradientDescentState]):
    """Full-batch gradient descent.

        w' = w − η ∇L(w)

    A mode of curvature λ is multiplied by 1 − ηλ at each step, so it is stable while λ < 2/η: the
    critical curvature is 2/η. Equal to `torch.optim.SGD(lr=η)`.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.

    Raises:
        SettingError: if `lr` is not positive and finite.

    Example:
        >>> GradientDescent(0.01).critical_curvature
        200.0
        >>> float(GradientDescent(0.01).companion(200.0)[0, 0])
        -1.0

    References:
        cohen2021gradient
    """

    lr: float | int | Schedule

    def __post_init__(self) -> None:
        require_lr(self.lr)

    def init(self, w: Parameters) -> GradientDescentState:
        """No step taken yet."""
        return GradientDescentState(step=0)

    def step(
        self, w: Parameters, gradient: Parameters, state: GradientDescentState
    ) -> tuple[Parameters, GradientDescentState]:
        """w − η ∇L(w), and one more step counted."""
        w = w.add(gradient, alpha=-self.step_size_at(state))
        return w, GradientDescentState(step=state.step + 1)

    def step_size_at(self, state: GradientDescentState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: GradientDescentState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ]."""
        eta = step_size_in(self.lr, state)
        return np.array([[1.0 - eta * curvature]])

    @property
    def critical_curvature(self) -> float | Callable[[GradientDescentState], float]:
        """2/η."""
        return by_step_size(self.lr, lambda eta: 2.0 / eta)

    @property
    def critical_formula(self) -> str:
        """`2/η`."""
        return "2/η"
