"""What a discrete method is: a frozen value that looks, steps, and knows where it loses stability.

A method never holds what changes: `state = method.init(w)`, then at every step

    gradient, state = method.look(objective, point, state)
    w, state = method.step(w, gradient, state)

Looking is where methods differ in what they ask of the objective: most take the gradient at w, some the
gradient elsewhere (sharpness-aware minimisation) or of a part of the data (stochastic gradient descent).
Stepping is arithmetic on what was seen.

Near a minimum every eigen-direction of the Hessian evolves by itself, through a small matrix that
depends on its curvature alone: the companion matrix. The method is stable there while the spectral
radius of that matrix is below one; the curvature where it crosses one is the critical curvature. For a
method that divides the gradient by a preconditioner P, curvature means an eigenvalue of P^(-1/2) H P^(-1/2).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import Parameters, ParameterSpace, SettingError
from edgewise.linalg import Identity, Operator, Preconditioner
from edgewise.methods.requirements import shown
from edgewise.methods.schedules import Schedule
from edgewise.objectives import Objective, Point

State = TypeVar("State")


class Method(ABC, Generic[State]):
    """A discrete optimiser w, s ↦ w', s' driven by gradients.

    A state is a frozen dataclass of tensors and numbers that `foundation.encode` can write down, so that
    a run can be stored and resumed bit for bit. It has a `step`, the number of steps taken.

    Attributes:
        lr: η, a number or a schedule.
    """

    __slots__ = ()

    lr: float | Schedule

    def on(self, space: ParameterSpace | None) -> "Method[State]":
        """The same method for parameters of these names and shapes; itself, where they do not matter to it."""
        return self

    @abstractmethod
    def init(self, w: Parameters) -> State:
        """The state before the first step from `w`."""

    def settled(self, w: Parameters, step: int) -> State:
        """The state at `w` before step number `step`, where what is averaged over a few steps has come to rest.

        It knows what follows from the number of steps, and nothing that is seen on the way: what a flow starts
        from that asks where the method that it describes loses stability.

        Raises:
            SettingError: if the step size of that step follows from what was seen.
        """
        return replace(self.init(w), step=step)  # type: ignore[type-var]  # states are dataclasses

    def look(self, objective: Objective, point: Point, state: State) -> tuple[Parameters, State]:
        """What the coming step takes as its gradient, and a state that knows what was seen on the way.

        Args:
            objective: L, for those that look elsewhere than at w.
            point: L at w. Nothing is computed of it that is not asked for.
            state: what `init` or the previous `step` returned; `step` is going to take the one returned here.
        """
        return point.gradient, state

    @abstractmethod
    def step(self, w: Parameters, gradient: Parameters, state: State) -> tuple[Parameters, State]:
        """The next point and state; `w`, `gradient` and `state` are left as they are.

        Args:
            w: the present point.
            gradient: what `look` returned: for most methods ∇L(w).
            state: what `init`, `look` or the previous `step` returned.
        """

    @abstractmethod
    def step_size_at(self, state: State) -> float:
        """η of the step that would be taken from `state`."""

    def preconditioner(self, w: Parameters, gradient: Parameters, state: State) -> Preconditioner:
        """P of the coming step w' = w − η P⁻¹ m, as an operator; the identity for most methods.

        Args:
            w: the present point.
            gradient: what `look` returned.
            state: the state from which the step would be taken.
        """
        return Identity(w.shape[0], w.dtype, w.device)

    def seen(self, hessian: Operator) -> Operator:
        """The Hessian of what the method descends, from that of L: the same, but for decay in the gradient.

        What a method adds to H does not depend on H.
        """
        return hessian

    @abstractmethod
    def companion(self, curvature: float, state: State | None = None) -> NDArray[np.float64]:
        """The linear update of one mode of the given curvature, at a fixed step size.

        Args:
            curvature: λ, an eigenvalue of the Hessian (of P^(-1/2) H P^(-1/2) with a preconditioner).
            state: where the step size comes from; needed only if it is scheduled.

        Raises:
            SettingError: if the step size is scheduled and no state is given.
        """

    @property
    @abstractmethod
    def critical_curvature(self) -> float | Callable[[State], float]:
        """Where the spectral radius of the companion matrix crosses one, in closed form.

        A number where it is constant; a function of the state where it depends on it (a schedule, or what was
        seen by `look`).
        """

    @property
    @abstractmethod
    def critical_formula(self) -> str:
        """The closed form as text, for a label or a sentence: `2/η`."""

    def with_step_size(self, lr: float) -> "Method[State]":
        """The same method at a fixed step size."""
        return replace(self, lr=lr)  # type: ignore[type-var]  # methods are dataclasses

    def critical_curvature_at(self, state: State) -> float:
        """The critical curvature of the step that would be taken from `state`, as a number."""
        critical = self.critical_curvature
        return critical(state) if callable(critical) else critical

    def gradients_per_step(self, objective: Objective) -> float:
        """What a step costs, in gradients of the whole objective."""
        return 1.0


AnyMethod = Method[Any]
"""A method, whatever its state."""


def require_method(wrapper: str, value: Any, inside: str = "GradientDescent(0.01), …") -> None:
    """Refuse to wrap what is not a method; `inside` is an example of what to type."""
    if not isinstance(value, Method):
        raise SettingError(
            f"{wrapper} around {shown(value)}",
            "that is not a method",
            f"Type {wrapper}({inside}), or from_torch(optimizer) for one of torch.optim",
        )


def layers(method: AnyMethod) -> Iterator[AnyMethod]:
    """A method, the one that it wraps, and so on inwards."""
    layer: AnyMethod | None = method
    while layer is not None:
        yield layer
        layer = getattr(layer, "method", None)
