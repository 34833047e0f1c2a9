"""What a flow is: continuous time beside a discrete method, advanced one step of that method at a time.

A flow describes where a method goes without its steps: some follow its trajectory only while it is stable,
others its time average at the edge of stability too, together with the oscillation around it. Like a method it
is a frozen value; what changes is in the state that is passed in and out.

    w, state = flow.advance(objective, point, state, step_size)

moves by the time that one step of the method takes, so that methods and flows run in lock step.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, final

from jaxtyping import Float
from torch import Tensor

from edgewise.flows.cost import Cost
from edgewise.foundation import Parameters, SettingError
from edgewise.linalg import Preconditioner
from edgewise.methods import AnyMethod, step_size
from edgewise.objectives import Objective, Point

State = TypeVar("State")


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """What a flow says about the discrete run at its present time.

    Attributes:
        loss: the time-averaged training loss; of a flow without oscillation the loss at its point.
        gradient_norm: the root of the time-averaged squared gradient norm.
        sharpness: the largest eigenvalue at the time-averaged iterate; None where it has not been measured.
        variance: the time-averaged squared displacement along each critical mode, largest first.
        directions: those modes as unit columns, where the flow knows them; of a method with a preconditioner P
            along Pu, since modes are orthogonal in its metric: a displacement in another one does not show there.
    """

    loss: float
    gradient_norm: float
    sharpness: float | None = None
    variance: tuple[float, ...] = ()
    directions: Float[Tensor, "params modes"] | None = None


class Flow(ABC, Generic[State]):
    """A continuous-time counterpart of a discrete method.

    A state is a frozen dataclass of tensors and numbers that `foundation.encode` can write down.

    Attributes:
        products: whether `advance` asks its point for products, so that its gradient is built ready for them.
    """

    __slots__ = ()

    products: ClassVar[bool] = True

    @property
    @abstractmethod
    def described(self) -> AnyMethod | None:
        """The method that it describes; None takes the step size of the method it runs beside."""

    def beside(self, method: AnyMethod) -> "Flow[State]":
        """The same flow, keeping the time of `method` if it describes none of its own; else itself."""
        return self

    @abstractmethod
    def init(self, objective: Objective, w: Parameters, seed: int) -> State:
        """The state at time zero, at `w`.

        Args:
            objective: L.
            w: where the flow starts.
            seed: of everything random in measuring curvature.

        Raises:
            SettingError: if the flow does not exist there, in words.
        """

    @abstractmethod
    def advance(
        self, objective: Objective, point: Point, state: State, step_size: float
    ) -> tuple[Parameters, State]:
        """Where the flow is after the time of one step of the method.

        Args:
            objective: L.
            point: L at the present point, shared with whoever reads there.
            state: what `init` or the previous call returned.
            step_size: η of the method's coming step.

        Raises:
            FlowError: if the flow cannot go on, with the reason; its process ends there.
        """

    @abstractmethod
    def predict(self, objective: Objective, point: Point, state: State) -> Prediction:
        """What the flow says about the discrete run at its present time, from what it already knows.

        Args:
            objective: L.
            point: L at the present point; value and gradient are there, products would cost.
            state: the present state.
        """

    def preconditioner(self, point: Point, state: State) -> Preconditioner | None:
        """P at the present time, for flows of preconditioned methods; None where there is none."""
        return None

    def step_size_at(self, step: int) -> float:
        """η of step number `step` of the described method: the flow's unit of time."""
        return step_size(self._method().lr, step)

    def critical_curvature_at(self, point: Point, state: State, step: int) -> float:
        """Where the described method loses stability at the flow's present state; NaN if that is not known.

        Args:
            point: L at the present point; only what decides on it is computed there.
            state: the present state.
            step: the number of the method's coming step.
        """
        try:
            critical = self._method().with_step_size(self.step_size_at(step)).critical_curvature
        except SettingError:  # groups of parameters whose schedules differ have no one step size
            return math.nan
        return math.nan if callable(critical) else critical

    def _method(self) -> AnyMethod:
        method = self.described
        if method is None:
            raise AssertionError("a flow is put beside a method before it is asked")
        return method

    @abstractmethod
    def cost(self, state: State) -> Cost:
        """What was asked of the objective so far."""


AnyFlow = Flow[Any]
"""A flow, whatever its state."""
