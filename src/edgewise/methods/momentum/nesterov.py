"""Nesterov's momentum: the gradient is felt once more through the velocity, and the edge moves down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_beta
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class NesterovState:
    """What Nesterov's momentum carries.

    Attributes:
        step: the number of steps taken.
        velocity: v, as long as the parameters; zero at the start.
    """

    step: int
    velocity: Tensor


@final
@dataclass(frozen=True, slots=True)
class Nesterov(Method[NesterovState]):
    """Gradient descent with Nesterov's momentum, as PyTorch writes it.

        v' = β v + ∇L(w),    w' = w − η (∇L(w) + β v')

    The parameters w are the points where the gradient is taken. A mode of curvature λ obeys
    w'' = (1 − ηλ) ((1 + β) w' − β w). A root of z² − (1 − ηλ) ((1 + β) z − β) leaves the unit disc through
    z = −1, at the critical curvature (2 + 2β)/((1 + 2β)η). Equal to
    `torch.optim.SGD(lr=η, momentum=β, nesterov=True)`.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        beta: β in [0, 1), the share of the velocity that is kept.

    Raises:
        SettingError: if `lr` is not positive and finite, or `beta` is outside [0, 1).

    Example:
        >>> round(Nesterov(0.01, 0.9).critical_curvature, 7)
        135.7142857

    References:
        nesterov1983method, cohen2021gradient
    """

    lr: float | int | Schedule
    beta: float | int

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_beta(self.beta)

    def init(self, w: Parameters) -> NesterovState:
        """At rest: v = 0."""
        return NesterovState(step=0, velocity=w.new_zeros(w.shape))

    def step(self, w: Parameters, gradient: Parameters, state: NesterovState) -> tuple[Parameters, NesterovState]:
        """w − η (∇L(w) + β v') with v' = β v + ∇L(w), and one more step counted."""
        velocity = state.velocity.mul(self.beta).add_(gradient)
        w = w.add(gradient.add(velocity, alpha=self.beta), alpha=-self.step_size_at(state))
        return w, NesterovState(step=state.step + 1, velocity=velocity)

    def step_size_at(self, state: NesterovState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: NesterovState | None = None) -> NDArray[np.float64]:
        """[[(1 + β)(1 − ηλ), −β(1 − ηλ)], [1, 0]]: from the last two iterates (w, w₋) to (w', w)."""
        factor = 1.0 - step_size_in(self.lr, state) * curvature
        return np.array([[(1.0 + self.beta) * factor, -self.beta * factor], [1.0, 0.0]])

    @property
    def critical_curvature(self) -> float | Callable[[NesterovState], float]:
        """(2 + 2β)/((1 + 2β)η)."""
        numerator = (2.0 + 2.0 * self.beta) / (1.0 + 2.0 * self.beta)
        return by_step_size(self.lr, lambda eta: numerator / eta)

    @property
    def critical_formula(self) -> str:
        """`(2+2β)/((1+2β)η)`."""
        return "(2+2β)/((1+2β)η)"
