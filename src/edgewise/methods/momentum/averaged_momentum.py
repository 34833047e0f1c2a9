"""Averaged momentum: the step follows a moving average of the gradients, as inside Adam."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.methods.method import Method
from edgewise.methods.moving_average import averaged_companion, averaged_critical_curvature
from edgewise.methods.requirements import require_beta
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class AveragedMomentumState:
    """What averaged momentum carries.

    Attributes:
        step: the number of steps taken.
        average: m, as long as the parameters; zero at the start.
    """

    step: int
    average: Tensor


@final
@dataclass(frozen=True, slots=True)
class AveragedMomentum(Method[AveragedMomentumState]):
    """Gradient descent along an exponential moving average of the gradients.

        m' = β m + (1 − β) ∇L(w),    w' = w − η m'

    A mode of curvature λ obeys w'' = (1 + β − (1 − β)ηλ) w' − β w. A root of the polynomial leaves the unit
    disc through z = −1, at the critical curvature (2 + 2β)/((1 − β)η): 38/η at β = 0.9. It is `HeavyBall` at
    the step size (1 − β)η, and Adam with its preconditioner frozen at one and no bias correction.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        beta: β in [0, 1), the weight of the past in the average.

    Raises:
        SettingError: if `lr` is not positive and finite, or `beta` is outside [0, 1).

    Example:
        >>> round(AveragedMomentum(0.01, 0.9).critical_curvature, 9)
        3800.0

    References:
        polyak1964some, cohen2022adaptive
    """

    lr: float | int | Schedule
    beta: float | int

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_beta(self.beta)

    def init(self, w: Parameters) -> AveragedMomentumState:
        """Nothing averaged yet: m = 0."""
        return AveragedMomentumState(step=0, average=w.new_zeros(w.shape))

    def step(
        self, w: Parameters, gradient: Parameters, state: AveragedMomentumState
    ) -> tuple[Parameters, AveragedMomentumState]:
        """w − η m' with m' = β m + (1 − β) ∇L(w), and one more step counted."""
        average = state.average.mul(self.beta).add_(gradient, alpha=1.0 - self.beta)
        w = w.add(average, alpha=-self.step_size_at(state))
        return w, AveragedMomentumState(step=state.step + 1, average=average)

    def step_size_at(self, state: AveragedMomentumState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: AveragedMomentumState | None = None) -> NDArray[np.float64]:
        """[[1 + β − (1 − β)ηλ, −β], [1, 0]]: from the last two iterates (w, w₋) to (w', w)."""
        return averaged_companion(step_size_in(self.lr, state), self.beta, 0.0, curvature)

    @property
    def critical_curvature(self) -> float | Callable[[AveragedMomentumState], float]:
        """(2 + 2β)/((1 − β)η)."""
        return by_step_size(self.lr, lambda eta: averaged_critical_curvature(eta, self.beta, 0.0))

    @property
    def critical_formula(self) -> str:
        """`(2+2β)/((1−β)η)`."""
        return "(2+2β)/((1−β)η)"
