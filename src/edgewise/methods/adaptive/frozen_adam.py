"""Frozen Adam: from some step on Adam's preconditioner stands still, and with it the metric of its edge."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters
from edgewise.linalg import PositiveDiagonal
from edgewise.methods.adaptive.adam import AdamState, divisor, nothing_seen, require_adam, see
from edgewise.methods.method import Method
from edgewise.methods.moving_average import averaged_companion, averaged_critical_curvature
from edgewise.methods.requirements import require_count
from edgewise.methods.schedules import Schedule, by_step_size, step_size_in


@final
@dataclass(frozen=True, slots=True)
class FrozenAdam(Method[AdamState]):
    """Adam whose preconditioner is frozen after `freeze_at` steps: P_t = P_s for t ≥ s.

        w' = w − η m' / P    with m' of `Adam`, and P of Adam at step min(t, s), s = freeze_at

    The first s steps are Adam's. From then on it is gradient descent with averaged momentum in a fixed metric:
    it can no longer lower its effective sharpness by growing P, and destabilises right after that rises above
    (2 + 2β₁)/((1 − β₁)η), where Adam would go on.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        betas: (β₁, β₂), both in [0, 1): the shares of m and ν that are kept.
        eps: ε ≥ 0, outside the root.
        freeze_at: s ≥ 1, the number of steps that adapt.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> round(FrozenAdam(0.01, freeze_at=100).critical_curvature, 6)
        3800.0

    References:
        cohen2022adaptive
    """

    lr: float | int | Schedule
    betas: tuple[float | int, float | int] = (0.9, 0.999)
    eps: float | int = 1e-8
    freeze_at: int = field(kw_only=True)

    def __post_init__(self) -> None:
        require_adam(self.lr, self.betas, self.eps)
        why = "there is nothing to freeze before the first gradient"
        require_count("freeze_at", self.freeze_at, 1, why, "Type freeze_at=100, the number of steps that adapt")

    def init(self, w: Parameters) -> AdamState:
        """Nothing seen yet: m = ν = 0."""
        return nothing_seen(w)

    def step(self, w: Parameters, gradient: Parameters, state: AdamState) -> tuple[Parameters, AdamState]:
        """w − η m'/P, and one more step counted."""
        after = self._see(gradient, state)
        root, correction = divisor(after, self.betas, self.eps, min(after.step, self.freeze_at))
        return w.addcdiv(after.average, root, value=-self.step_size_at(state) / correction), after

    def step_size_at(self, state: AdamState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: AdamState) -> PositiveDiagonal:
        """diag(P) of the coming step."""
        after = self._see(gradient, state)
        root, correction = divisor(after, self.betas, self.eps, min(after.step, self.freeze_at))
        return PositiveDiagonal(root * correction)

    def companion(self, curvature: float, state: AdamState | None = None) -> NDArray[np.float64]:
        """[[1 + β₁ − η(1 − β₁)λ, −β₁], [1, 0]]: from the last two iterates (w, w₋) to (w', w)."""
        return averaged_companion(step_size_in(self.lr, state), self.betas[0], 0.0, curvature)

    @property
    def critical_curvature(self) -> float | Callable[[AdamState], float]:
        """(2 + 2β₁)/((1 − β₁)η)."""
        return by_step_size(self.lr, lambda eta: averaged_critical_curvature(eta, self.betas[0], 0.0))

    @property
    def critical_formula(self) -> str:
        """`(2+2β₁)/((1−β₁)η)`."""
        return "(2+2β₁)/((1−β₁)η)"

    def _see(self, gradient: Parameters, state: AdamState) -> AdamState:
        """The averages after one more gradient; ν only while it adapts."""
        after = see(gradient, state, self.betas)
        return after if state.step < self.freeze_at else replace(after, square_average=state.square_average)
