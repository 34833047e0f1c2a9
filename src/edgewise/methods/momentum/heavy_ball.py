"""Heavy ball: gradient descent with momentum, whose edge is (2 + 2β)/η."""

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
class HeavyBallState:
    """What heavy ball carries.

    Attributes:
        step: the number of steps taken.
        velocity: v, as long as the parameters; zero at the start.
    """

    step: int
    velocity: Tensor


@final
@dataclass(frozen=True, slots=True)
class HeavyBall(Method[HeavyBallState]):
    """Gradient descent with Polyak's momentum, as PyTorch writes it.

        v' = β v + ∇L(w),    w' = w − η v'

    A mode of curvature λ obeys w'' = (1 + β − ηλ) w' − β w. A root of z² − (1 + β − ηλ) z + β leaves the
    unit disc through z = −1, at the critical curvature (2 + 2β)/η. Equal to
    `torch.optim.SGD(lr=η, momentum=β)`.

    `AveragedMomentum` is this method at the step size (1 − β)η: a threshold taken from one convention is
    wrong by 1/(1 − β) in the other.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        beta: β in [0, 1), the share of the velocity that is kept.

    Raises:
        SettingError: if `lr` is not positive and finite, or `beta` is outside [0, 1).

    Example:
        >>> round(HeavyBall(0.01, 0.9).critical_curvature, 9)
        380.0

    References:
        polyak1964some, cohen2021gradient
    """

    lr: float | int | Schedule
    beta: float | int

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_beta(self.beta)

    def init(self, w: Parameters) -> HeavyBallState:
        """At rest: v = 0."""
        return HeavyBallState(step=0, velocity=w.new_zeros(w.shape))

    def step(
        self, w: Parameters, gradient: Parameters, state: HeavyBallState
    ) -> tuple[Parameters, HeavyBallState]:
        """w − η v' with v' = β v + ∇L(w), and one more step counted."""
        velocity = state.velocity.mul(self.beta).add_(gradient)
        w = w.add(velocity, alpha=-self.step_size_at(state))
        return w, HeavyBallState(step=state.step + 1, velocity=velocity)

    def step_size_at(self, state: HeavyBallState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: HeavyBallState | None = None) -> NDArray[np.float64]:
        """[[1 + β − ηλ, −β], [1, 0]]: from the last two iterates (w, w₋) to (w', w)."""
        eta = step_size_in(self.lr, state)
        return np.array([[1.0 + self.beta - eta * curvature, -self.beta], [1.0, 0.0]])

    @property
    def critical_curvature(self) -> float | Callable[[HeavyBallState], float]:
        """(2 + 2β)/η."""
        numerator = 2.0 + 2.0 * self.beta
        return by_step_size(self.lr, lambda eta: numerator / eta)

    @property
    def critical_formula(self) -> str:
        """`(2+2β)/η`."""
        return "(2+2β)/η"
