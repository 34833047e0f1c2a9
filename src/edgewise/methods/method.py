"""What a discrete method is: a frozen value that steps, and knows where it loses stability.

A method never holds what changes: `state = method.init(w)`, then `w, state = method.step(w, g, state)`.
Near a minimum every eigen-direction of the Hessian evolves by itself, through a small matrix that
depends on its curvature alone: the companion matrix. The method is stable there while the spectral
radius of that matrix is below one; the curvature where it crosses one is the critical curvature.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters

State = TypeVar("State")


class Method(ABC, Generic[State]):
    """A discrete optimiser w, s ↦ w', s' driven by gradients.

    A state is a frozen dataclass of tensors and numbers that `foundation.encode` can write down, so that
    a run can be stored and resumed bit for bit.
    """

    __slots__ = ()

    @abstractmethod
    def init(self, w: Parameters) -> State:
        """The state before the first step from `w`."""

    @abstractmethod
    def step(self, w: Parameters, gradient: Parameters, state: State) -> tuple[Parameters, State]:
        """The next point and state; `w`, `gradient` and `state` are left as they are.

        Args:
            w: the present point.
            gradient: ∇L(w).
            state: what `init` or the previous `step` returned.
        """

    @abstractmethod
    def step_size_at(self, state: State) -> float:
        """η of the step that would be taken from `state`."""

    @abstractmethod
    def companion(self, curvature: float, state: State | None = None) -> NDArray[np.float64]:
        """The linear update of one mode of the given curvature, at a fixed step size.

        Args:
            curvature: λ, an eigenvalue of the Hessian.
            state: where the step size comes from; needed only if it is scheduled.

        Raises:
            SettingError: if the step size is scheduled and no state is given.
        """

    @property
    @abstractmethod
    def critical_curvature(self) -> float | Callable[[State], float]:
        """Where the spectral radius of the companion matrix crosses one, in closed form.

        A number where it is constant; a function of the state where it depends on it (a schedule).
        """

    @property
    @abstractmethod
    def critical_formula(self) -> str:
        """The closed form as text, for a label or a sentence: `2/η`."""

    def critical_curvature_at(self, state: State) -> float:
        """The critical curvature of the step that would be taken from `state`, as a number."""
        critical = self.critical_curvature
        return critical(state) if callable(critical) else critical
