"""AdamW: Adam with weight decay beside the gradient, not in it, which lowers the edge a little."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters
from edgewise.linalg import PositiveDiagonal
from edgewise.methods.adaptive.adam import AdamState, divisor, nothing_seen, require_adam, see
from edgewise.methods.method import Method
from edgewise.methods.moving_average import averaged_companion, averaged_critical_curvature
from edgewise.methods.requirements import require_decay
from edgewise.methods.schedules import Schedule, by_step_size, step_size_in


@final
@dataclass(frozen=True, slots=True)
class AdamW(Method[AdamState]):
    """Adam with decoupled weight decay.

        w' = (1 − ηγ) w − η m' / P    with m' and P as of `Adam`

    In the metric of diag(P) a mode of curvature λ obeys w'' = (1 − ηγ + β₁ − η(1 − β₁)λ) w' − β₁(1 − ηγ) w. A
    root leaves the unit disc through z = −1, at the critical curvature (1 + β₁)(2 − ηγ)/((1 − β₁)η) of
    P^(-1/2) H P^(-1/2): the decay takes γ(1 + β₁)/(1 − β₁) from that of Adam. Equal to
    `torch.optim.AdamW(lr=η, betas, eps, weight_decay=γ)`.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        betas: (β₁, β₂), both in [0, 1): the shares of m and ν that are kept.
        eps: ε ≥ 0, outside the root.
        weight_decay: γ ≥ 0, multiplied by η.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> round(AdamW(0.01, weight_decay=0.1).critical_curvature, 6)
        3798.1

    References:
        loshchilov2019decoupled, cohen2022adaptive
    """

    lr: float | int | Schedule
    betas: tuple[float | int, float | int] = (0.9, 0.999)
    eps: float | int = 1e-8
    weight_decay: float | int = 0.01

    def __post_init__(self) -> None:
        require_adam(self.lr, self.betas, self.eps)
        require_decay("weight_decay", self.weight_decay)

    def init(self, w: Parameters) -> AdamState:
        """Nothing seen yet: m = ν = 0."""
        return nothing_seen(w)

    def step(self, w: Parameters, gradient: Parameters, state: AdamState) -> tuple[Parameters, AdamState]:
        """(1 − ηγ) w − η m'/P, and one more step counted."""
        eta = self.step_size_at(state)
        after = see(gradient, state, self.betas)
        root, correction = divisor(after, self.betas, self.eps, after.step)
        return w.mul(1 - eta * self.weight_decay).addcdiv_(after.average, root, value=-eta / correction), after

    def step_size_at(self, state: AdamState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: AdamState) -> PositiveDiagonal:
        """diag(P) of the coming step."""
        root, correction = divisor(see(gradient, state, self.betas), self.betas, self.eps, state.step + 1)
        return PositiveDiagonal(root * correction)

    def companion(self, curvature: float, state: AdamState | None = None) -> NDArray[np.float64]:
        """[[1 − ηγ + β₁ − η(1 − β₁)λ, −β₁(1 − ηγ)], [1, 0]]: from the iterates (w, w₋) to (w', w)."""
        return averaged_companion(step_size_in(self.lr, state), self.betas[0], self.weight_decay, curvature)

    @property
    def critical_curvature(self) -> float | Callable[[AdamState], float]:
        """(1 + β₁)(2 − ηγ)/((1 − β₁)η)."""
        beta, decay = self.betas[0], self.weight_decay
        return by_step_size(self.lr, lambda eta: averaged_critical_curvature(eta, beta, decay))

    @property
    def critical_formula(self) -> str:
        """`(1+β₁)(2−ηγ)/((1−β₁)η)`."""
        return "(1+β₁)(2−ηγ)/((1−β₁)η)"
