"""RMSProp: gradient descent with a step size for each parameter, whose edge is 2/η in its own metric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.linalg import PositiveDiagonal
from edgewise.methods.method import Method
from edgewise.methods.moving_average import mean_square
from edgewise.methods.requirements import require_eps, require_share
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class RMSPropState:
    """What RMSProp carries.

    Attributes:
        step: the number of steps taken.
        square_average: ν, the average of the squared gradient; zero at the start.
    """

    step: int
    square_average: Tensor


@final
@dataclass(frozen=True, slots=True)
class RMSProp(Method[RMSPropState]):
    """Gradient descent preconditioned by the root mean square of each parameter's gradient.

        ν' = β₂ ν + (1 − β₂) g²,    w' = w − η g / (√ν' + ε),    g = ∇L(w)

    The preconditioner of a step is P = diag(√ν' + ε), from the ν' that the step itself makes. With P held still a
    mode of P^(-1/2) H P^(-1/2) of curvature λ is multiplied by 1 − ηλ: the critical curvature of the effective
    Hessian is 2/η. Equal to `torch.optim.RMSprop(lr=η, alpha=β₂, eps=ε)`; ν starts at zero and is not
    corrected for it, so the first steps are longer by 1/√(1 − β₂).

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        beta2: β₂ in [0, 1), the share of ν that is kept.
        eps: ε ≥ 0, outside the root.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> RMSProp(0.01).critical_curvature
        200.0

    References:
        cohen2022adaptive, cohen2025understanding
    """

    lr: float | int | Schedule
    beta2: float | int = 0.99
    eps: float | int = 1e-8

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_share("beta2", self.beta2, "Type beta2=0.99")
        require_eps(self.eps)

    def init(self, w: Parameters) -> RMSPropState:
        """Nothing seen yet: ν = 0."""
        return RMSPropState(step=0, square_average=w.new_zeros(w.shape))

    def step(self, w: Parameters, gradient: Parameters, state: RMSPropState) -> tuple[Parameters, RMSPropState]:
        """w − η g/(√ν' + ε), and one more step counted."""
        square_average = mean_square(state.square_average, gradient, self.beta2)
        w = w.addcdiv(gradient, self._denominator(square_average), value=-self.step_size_at(state))
        return w, RMSPropState(step=state.step + 1, square_average=square_average)

    def step_size_at(self, state: RMSPropState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: RMSPropState) -> PositiveDiagonal:
        """diag(√ν' + ε)."""
        return PositiveDiagonal(self._denominator(mean_square(state.square_average, gradient, self.beta2)))

    def companion(self, curvature: float, state: RMSPropState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ], λ an eigenvalue of P^(-1/2) H P^(-1/2)."""
        eta = step_size_in(self.lr, state)
        return np.array([[1.0 - eta * curvature]])

    @property
    def critical_curvature(self) -> float | Callable[[RMSPropState], float]:
        """2/η."""
        return by_step_size(self.lr, lambda eta: 2.0 / eta)

    @property
    def critical_formula(self) -> str:
        """`2/η`."""
        return "2/η"

    def _denominator(self, square_average: Tensor) -> Tensor:
        return square_average.sqrt().add_(self.eps)
