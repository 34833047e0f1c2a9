"""Normalised gradient descent: steps of one length, so the edge comes nearer as the gradient vanishes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.foundation import Parameters, SettingError
from edgewise.methods.method import Method
from edgewise.methods.schedules import Schedule, require_lr, step_size_in
from edgewise.objectives import Objective, Point


@final
@dataclass(frozen=True, slots=True)
class NormalizedGDState:
    """What normalised gradient descent carries.

    Attributes:
        step: the number of steps taken.
        gradient_norm: ‖∇L‖ where it was last looked at; None before anything was seen.
    """

    step: int
    gradient_norm: float | None


@final
@dataclass(frozen=True, slots=True)
class NormalizedGD(Method[NormalizedGDState]):
    """Normalised gradient descent.

        w' = w − η ∇L(w)/‖∇L(w)‖

    It is gradient descent at the effective step size η/‖∇L‖: with that factor held, a mode of curvature λ
    is multiplied by 1 − ηλ/‖∇L‖, and the critical curvature is 2‖∇L‖/η, a function of what the state has
    seen. As the gradient vanishes every curvature becomes too large, so it cannot settle: near a manifold of
    minimisers it oscillates along the top eigenvector with ‖∇Lₜ‖ + ‖∇Lₜ₊₁‖ = ηλ₁, and drifts along
    dX/dτ = −¼ P ∇log λ₁(H(X)), τ = η² t. Where the gradient is zero it stays.

    Args:
        lr: η, the length of a step: a positive number or a `Schedule`.

    Raises:
        SettingError: if `lr` is not positive and finite.

    Example:
        >>> import torch
        >>> method = NormalizedGD(0.5)
        >>> w, state = method.step(torch.zeros(2), torch.tensor([3.0, 4.0]), method.init(torch.zeros(2)))
        >>> w
        tensor([-0.3000, -0.4000])
        >>> method.critical_curvature(state)
        20.0

    References:
        arora2022understanding
    """

    lr: float | int | Schedule

    def __post_init__(self) -> None:
        require_lr(self.lr)

    def init(self, w: Parameters) -> NormalizedGDState:
        """No step taken and nothing seen yet."""
        return NormalizedGDState(step=0, gradient_norm=None)

    def look(
        self, objective: Objective, point: Point, state: NormalizedGDState
    ) -> tuple[Parameters, NormalizedGDState]:
        """∇L(w), whose norm is remembered."""
        return point.gradient, NormalizedGDState(state.step, length(point.gradient))

    def step(
        self, w: Parameters, gradient: Parameters, state: NormalizedGDState
    ) -> tuple[Parameters, NormalizedGDState]:
        """w − η ∇L/‖∇L‖, and one more step counted."""
        norm = length(gradient)
        direction = gradient / norm if norm != 0.0 else gradient
        return w.add(direction, alpha=-self.step_size_at(state)), NormalizedGDState(state.step + 1, norm)

    def step_size_at(self, state: NormalizedGDState) -> float:
        """η of the step that would be taken from `state`: its length, not η/‖∇L‖."""
        return step_size_in(self.lr, state)

    def effective_step_size(self, state: NormalizedGDState | None) -> float:
        """η/‖∇L‖: what the gradient is multiplied by.

        Raises:
            SettingError: if the state has seen no gradient, or only a zero one.
        """
        norm = _seen(state)
        if norm == 0.0:
            raise SettingError(
                "a zero gradient",
                "η/‖∇L‖ has no bound there, and no curvature is small enough to be stable",
                "Ask for it before the gradient vanishes",
            )
        return step_size_in(self.lr, state) / norm

    def companion(self, curvature: float, state: NormalizedGDState | None = None) -> NDArray[np.float64]:
        """The 1 × 1 matrix [1 − ηλ/‖∇L‖], for the ‖∇L‖ that the state has seen."""
        return np.array([[1.0 - self.effective_step_size(state) * curvature]])

    @property
    def critical_curvature(self) -> Callable[[NormalizedGDState], float]:
        """2‖∇L‖/η, for the ‖∇L‖ that the state has seen; NaN before it has seen one."""
        return lambda state: (
            math.nan if state.gradient_norm is None else 2.0 * state.gradient_norm / self.step_size_at(state)
        )

    @property
    def critical_formula(self) -> str:
        """`2‖∇L‖/η`."""
        return "2‖∇L‖/η"


def length(gradient: Parameters) -> float:
    """‖g‖, added up in double precision so that neither large nor small entries are lost."""
    return float(torch.linalg.vector_norm(gradient, dtype=torch.float64))


def _seen(state: NormalizedGDState | None) -> float:
    if state is None or state.gradient_norm is None:
        raise SettingError(
            "NormalizedGD and no gradient seen",
            "its effective step size is η/‖∇L‖, which the state knows after a look",
            "Type gradient, state = method.look(objective, point, state) and give that state",
        )
    return state.gradient_norm
