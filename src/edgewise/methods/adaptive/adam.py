"""Adam: an averaged gradient divided by its root mean square, with its edge at (2 + 2β₁)/((1 − β₁)η)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters, SettingError
from edgewise.linalg import PositiveDiagonal
from edgewise.methods.method import Method
from edgewise.methods.moving_average import averaged_companion, averaged_critical_curvature, mean_square
from edgewise.methods.requirements import require_eps, require_share, shown
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class AdamState:
    """What Adam and its variants carry.

    Attributes:
        step: the number of steps taken.
        average: m, the average of the gradient; zero at the start.
        square_average: ν, the average of its square; zero at the start.
    """

    step: int
    average: Tensor
    square_average: Tensor


@final
@dataclass(frozen=True, slots=True)
class Adam(Method[AdamState]):
    """Adam: moving averages of the gradient and of its square, both corrected for their start at zero.

        m' = β₁ m + (1 − β₁) g,    ν' = β₂ ν + (1 − β₂) g²,    g = ∇L(w)
        w' = w − η m' / P,    P = (1 − β₁ᵗ) [√(ν'/(1 − β₂ᵗ)) + ε]    at step t = 1, 2, …

    In the metric of its preconditioner diag(P) it is gradient descent with averaged momentum: a mode of
    P^(-1/2) H P^(-1/2) of curvature λ obeys w'' = (1 + β₁ − η(1 − β₁)λ) w' − β₁ w, so the critical
    curvature is (2 + 2β₁)/((1 − β₁)η), 38/η at β₁ = 0.9. Equal to `torch.optim.Adam(lr=η, betas, eps)`.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        betas: (β₁, β₂), both in [0, 1): the shares of m and ν that are kept.
        eps: ε ≥ 0, outside the root.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> round(Adam(0.01).critical_curvature, 6)
        3800.0

    References:
        kingma2015adam, cohen2022adaptive
    """

    lr: float | int | Schedule
    betas: tuple[float | int, float | int] = (0.9, 0.999)
    eps: float | int = 1e-8

    def __post_init__(self) -> None:
        require_adam(self.lr, self.betas, self.eps)

    def init(self, w: Parameters) -> AdamState:
        """Nothing seen yet: m = ν = 0."""
        return nothing_seen(w)

    def step(self, w: Parameters, gradient: Parameters, state: AdamState) -> tuple[Parameters, AdamState]:
        """w − η m'/P, and one more step counted."""
        after = see(gradient, state, self.betas)
        root, correction = divisor(after, self.betas, self.eps, after.step)
        return w.addcdiv(after.average, root, value=-self.step_size_at(state) / correction), after

    def step_size_at(self, state: AdamState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: AdamState) -> PositiveDiagonal:
        """diag(P) of the coming step."""
        root, correction = divisor(see(gradient, state, self.betas), self.betas, self.eps, state.step + 1)
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


def require_adam(lr: Any, betas: Any, eps: Any) -> None:
    """Refuse settings outside their ranges."""
    require_lr(lr)
    fix = "Type betas=(0.9, 0.999)"
    if not (isinstance(betas, tuple) and len(betas) == 2):
        raise SettingError(f"betas={shown(betas)}", "it takes a tuple of two shares, (β₁, β₂)", fix)
    for place, beta in enumerate(betas):
        require_share(f"betas[{place}]", beta, fix)
    require_eps(eps)


def nothing_seen(w: Parameters) -> AdamState:
    """m = ν = 0."""
    return AdamState(step=0, average=w.new_zeros(w.shape), square_average=w.new_zeros(w.shape))


def see(gradient: Parameters, state: AdamState, betas: tuple[float | int, float | int]) -> AdamState:
    """Both averages after one more gradient, in PyTorch's order of operations."""
    return AdamState(
        step=state.step + 1,
        average=state.average.lerp(gradient, 1 - betas[0]),
        square_average=mean_square(state.square_average, gradient, betas[1]),
    )


def divisor(
    moments: AdamState, betas: tuple[float | int, float | int], eps: float | int, corrected: int
) -> tuple[Parameters, float]:
    """P in the two factors that PyTorch divides by, √(ν/(1 − β₂ᵗ)) + ε and 1 − β₁ᵗ.

    Args:
        moments: both averages, the gradient of this step included.
        betas: (β₁, β₂).
        eps: ε.
        corrected: t.
    """
    root = (moments.square_average.sqrt() / (1 - betas[1] ** corrected) ** 0.5).add_(eps)
    return root, 1 - betas[0] ** corrected
