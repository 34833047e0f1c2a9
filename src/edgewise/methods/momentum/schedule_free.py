"""Schedule-free gradient descent: averaging of the iterates in place of a decaying step size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_share
from edgewise.methods.schedules import Schedule, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class ScheduleFreeState:
    """What schedule-free gradient descent carries.

    Attributes:
        step: the number of steps taken.
        base: z, the sequence that takes the gradient steps.
        average: x, the mean of all z so far: the point to evaluate or to deploy.
    """

    step: int
    base: Tensor
    average: Tensor


@final
@dataclass(frozen=True, slots=True)
class ScheduleFree(Method[ScheduleFreeState]):
    """Schedule-free gradient descent.

        y = (1 − β) z + β x,    z' = z − η ∇L(y),    x' = (1 − c) x + c z',    c = 1/(t + 1) at step t = 1, 2, …

    The process's w is y, where the gradient is taken; z and x, both w at the start, are in the state. While
    little enters the average any more (c → 0) a mode of curvature λ moves z alone, by the factor
    1 − (1 − β)ηλ, so the critical curvature tends to 2/((1 − β)η); at step t it is
    (4 − 2c)/((2(1 − β) + (2β − 1)c) η), a function of the state. Not preconditioned.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        beta: β in [0, 1): how far from z towards the average the gradient is taken.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> import torch
        >>> method = ScheduleFree(0.01, beta=0.5)
        >>> state = method.init(torch.zeros(1))
        >>> round(method.critical_curvature(state), 9), float(method.companion(400.0)[0, 0])
        (300.0, -1.0)

    References:
        defazio2024road
    """

    lr: float | int | Schedule
    beta: float | int = 0.9

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_share("beta", self.beta, "Type beta=0.9")

    def init(self, w: Parameters) -> ScheduleFreeState:
        """z = x = y."""
        return ScheduleFreeState(step=0, base=w.clone(), average=w.clone())

    def step(
        self, w: Parameters, gradient: Parameters, state: ScheduleFreeState
    ) -> tuple[Parameters, ScheduleFreeState]:
        """y' = (1 − β) z' + β x', and one more step counted."""
        base = state.base.add(gradient, alpha=-self.step_size_at(state))
        average = state.average.lerp(base, _entering(state))
        w = base.lerp(average, self.beta)
        return w, ScheduleFreeState(step=state.step + 1, base=base, average=average)

    def step_size_at(self, state: ScheduleFreeState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: ScheduleFreeState | None = None) -> NDArray[np.float64]:
        """[[1 − (1 − β)ηλ, −βηλ], [c(1 − (1 − β)ηλ), 1 − c − cβηλ]]: from (z, x) to (z', x').

        Without a state the limit of many steps, [1 − (1 − β)ηλ]: x no longer moves.
        """
        if state is None:
            return np.array([[1.0 - (1.0 - self.beta) * step_size_in(self.lr, None) * curvature]])
        c, push = _entering(state), self.step_size_at(state) * curvature
        z = np.array([1.0 - (1.0 - self.beta) * push, -self.beta * push])
        return np.array([z, c * z + [0.0, 1.0 - c]])

    @property
    def critical_curvature(self) -> Callable[[ScheduleFreeState], float]:
        """(4 − 2c)/((2(1 − β) + (2β − 1)c) η)."""
        return self._critical

    @property
    def critical_formula(self) -> str:
        """`(4−2c)/((2(1−β)+(2β−1)c)η)`."""
        return "(4−2c)/((2(1−β)+(2β−1)c)η)"

    def _critical(self, state: ScheduleFreeState) -> float:
        c = _entering(state)
        share = 2.0 * (1.0 - self.beta) + (2.0 * self.beta - 1.0) * c
        return (4.0 - 2.0 * c) / (share * self.step_size_at(state))


def _entering(state: ScheduleFreeState) -> float:
    """c: the weight of the coming z in the mean of all, the start included."""
    return 1.0 / (state.step + 2)
