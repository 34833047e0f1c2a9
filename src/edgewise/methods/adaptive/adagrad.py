"""Adagrad: steps that shorten as squared gradients add up, with an edge that recedes as they do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.linalg import PositiveDiagonal
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_eps, require_number
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class AdagradState:
    """What Adagrad carries.

    Attributes:
        step: the number of steps taken.
        square_sum: s, the sum of the squared gradients.
    """

    step: int
    square_sum: Tensor


@final
@dataclass(frozen=True, slots=True)
class Adagrad(Method[AdagradState]):
    """Gradient descent preconditioned by the root of the sum of each parameter's squared gradients.

        s' = s + g²,    w' = w − η g / P,    P = (1 + (t − 1)δ)(√s' + ε),    g = ∇L(w)    at step t = 1, 2, …

    With P held still a mode of P^(-1/2) H P^(-1/2) of curvature λ is multiplied by 1 − ηλ: the critical curvature
    of the effective Hessian is 2/η. P never falls: an oscillation at the edge adds to s until it has ended. δ
    shortens the steps; here that is a part of P, and η stays what it is. Equal to
    `torch.optim.Adagrad(lr=η, lr_decay=δ, initial_accumulator_value=s₀, eps=ε)`.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        lr_decay: δ ≥ 0.
        initial_sum: s₀ ≥ 0, s at the start.
        eps: ε ≥ 0, outside the root.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> Adagrad(0.01).critical_curvature
        200.0

    References:
        duchi2011adaptive
    """

    lr: float | int | Schedule
    lr_decay: float | int = 0.0
    initial_sum: float | int = 0.0
    eps: float | int = 1e-10

    def __post_init__(self) -> None:
        require_lr(self.lr)
        why = "steps that lengthen by themselves diverge in the end"
        require_number("lr_decay", self.lr_decay, lambda δ: δ >= 0, why, "Type lr_decay=1e-3, or 0")
        why = "a sum of squares is finite and not negative"
        require_number("initial_sum", self.initial_sum, lambda s: s >= 0, why, "Type initial_sum=0.1, or 0")
        require_eps(self.eps)

    def init(self, w: Parameters) -> AdagradState:
        """Nothing seen yet: s = s₀."""
        return AdagradState(step=0, square_sum=w.new_full(w.shape, self.initial_sum))

    def step(self, w: Parameters, gradient: Parameters, state: AdagradState) -> tuple[Parameters, AdagradState]:
        """w − η g/P, and one more step counted."""
        square_sum = state.square_sum.addcmul(gradient, gradient)
        eta = self.step_size_at(state) / self._lengthened(state)
        w = w.addcdiv(gradient, square_sum.sqrt().add_(self.eps), value=-eta)
        return w, AdagradState(step=state.step + 1, square_sum=square_sum)

    def step_size_at(self, state: AdagradState) -> float:
        """η of the step that would be taken from `state`; δ is in P."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: AdagradState) -> PositiveDiagonal:
        """diag(P) of the coming step."""
        root = state.square_sum.addcmul(gradient, gradient).sqrt_().add_(self.eps)
        return PositiveDiagonal(root * self._lengthened(state))

    def companion(self, curvature: float, state: AdagradState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ], λ an eigenvalue of P^(-1/2) H P^(-1/2)."""
        eta = step_size_in(self.lr, state)
        return np.array([[1.0 - eta * curvature]])

    @property
    def critical_curvature(self) -> float | Callable[[AdagradState], float]:
        """2/η."""
        return by_step_size(self.lr, lambda eta: 2.0 / eta)

    @property
    def critical_formula(self) -> str:
        """`2/η`."""
        return "2/η"

    def _lengthened(self, state: AdagradState) -> float:
        """1 + (t − 1)δ."""
        return 1 + state.step * self.lr_decay
