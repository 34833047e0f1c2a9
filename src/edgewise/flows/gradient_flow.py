"""Gradient flow: where infinitely small steps lead, in as few gradients as a stiff equation allows."""

import sys
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

from edgewise.curvature import Hessian
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.flows.integrators import (
    RKC3,
    Integrator,
    Place,
    Stride,
    VectorField,
    begin,
    march,
    require_integrator,
)
from edgewise.foundation import Parameters, SettingError
from edgewise.methods import AnyMethod, Method
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientFlowState:
    """What gradient flow carries.

    Attributes:
        time: where it is: accumulated step sizes.
        stride: the integrator's step that this time lies in.
    """

    time: float
    stride: Stride


@final
@dataclass(frozen=True, slots=True)
class GradientFlow(Flow[GradientFlowState]):
    """The gradient flow, dw/dt = −∇L(w).

    One step of the method beside it is the time η. The integrator takes steps of its own, usually far longer
    than η, and the points on the method's time grid are interpolated in them. The Jacobian of the velocity is −H,
    with a real spectrum and a few large eigenvalues; that is what stabilised Chebyshev methods are for.

    Where the velocity jumps by J, as with ReLU and max-pooling, a step across errs by a fraction of h J, whatever
    the order of the integrator. `rtol` is kept there too, but h has to follow it in proportion: where jumps are
    met in every step each further digit costs up to ten times the gradients, and about twice on smooth objectives.
    For a path on a ReLU network that `RK4` with h = 1/S knows to 2 %, `rtol=1e-2` takes twice its gradients and
    knows it to 1 %; `rtol=1e-3` takes eleven times as many and knows it to 0.1 %, at the cost of `RK4(alpha=0.1)`.

    Args:
        rtol: the error allowed in each of the integrator's steps, relative to the path travelled so far.
        atol: an error that is always small enough, in the norm of the parameters.
        integrator: who takes the steps.
        method: whose time it keeps; None takes that of the method it runs beside.

    Raises:
        SettingError: if a tolerance is outside its range, or something else is no integrator or no method.

    Example:
        >>> import torch
        >>> bowl = Objective.from_function(lambda w: (w**2).sum() / 2, 1, start=torch.ones(1))
        >>> flow = GradientFlow(rtol=1e-6)
        >>> w, state = flow.advance(bowl, bowl.at(bowl.start), flow.init(bowl, bowl.start, seed=0), step_size=1.0)
        >>> round(float(w), 4)  # exp(−1)
        0.3679

    References:
        cohen2021gradient, sommeijer1997rkc
    """

    products: ClassVar[bool] = False

    rtol: float = 1e-3
    atol: float = 0.0
    integrator: Integrator = field(default_factory=RKC3)
    method: AnyMethod | None = None

    def __post_init__(self) -> None:
        require_tolerances(self.rtol, self.atol)
        require_integrator(self.integrator)
        method: Any = self.method
        if not isinstance(method, Method | None):
            raise SettingError(
                f"method={method!r:.60}",
                "the flow keeps the time of a method, and that is none",
                "Type method=GradientDescent(0.01), or leave it out",
            )

    @property
    def described(self) -> AnyMethod | None:
        """`method`."""
        return self.method

    def beside(self, method: AnyMethod) -> "GradientFlow":
        """In the time of `method`, unless it keeps that of another."""
        return self if self.method is not None else replace(self, method=method)

    def init(self, objective: Objective, w: Parameters, seed: int) -> GradientFlowState:
        """Time zero: the curvature is measured from a cold start."""
        stride = begin(GradientField(objective), w.clone(), self.integrator, self.rtol, seed)
        return GradientFlowState(time=0.0, stride=stride)

    def advance(
        self, objective: Objective, point: Point, state: GradientFlowState, step_size: float
    ) -> tuple[Parameters, GradientFlowState]:
        """The flow a time η later: new steps of the integrator only where the last one does not reach."""
        time, stride = state.time + step_size, state.stride
        while stride.end < time:
            stride = march(GradientField(objective), stride, self.integrator, self.rtol, self.atol)
        return stride.at(time), GradientFlowState(time=time, stride=stride)

    def predict(self, objective: Objective, point: Point, state: GradientFlowState) -> Prediction:
        """Loss and gradient norm at its point; of the curvature it only knows a loose bound."""
        return Prediction(loss=float(point.value), gradient_norm=float(point.gradient.norm()))

    def cost(self, state: GradientFlowState) -> Cost:
        """Up to the end of the integrator's step, which lies ahead of the present time."""
        return state.stride.cost


@final
class GradientField(VectorField):
    """The velocity −∇L, with the Hessian behind it."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.size = objective, objective.size

    def at(self, y: Parameters, *, curvature: bool = False) -> Place:
        """−∇L(y) and H(y), which share one graph."""
        point = self.objective.at(y, products=curvature)
        return Place(velocity=-point.gradient, curvature=Hessian.at(point))


def require_tolerances(rtol: Any, atol: Any) -> None:
    """Refuse tolerances that cannot be met, or mean nothing."""
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not isinstance(value, float | int) or isinstance(value, bool):
            raise SettingError(
                f"{name}={value!r:.60}", "a tolerance is a number", "Type rtol=1e-3, and name the method: method=…"
            )
    if not 0.0 < rtol < 1.0:
        raise SettingError(f"rtol={rtol!r:.60}", "a relative tolerance lies between 0 and 1", "Type rtol=1e-3")
    if not 0.0 <= atol <= sys.float_info.max:
        why = "is not negative" if atol < 0.0 else "is finite"
        raise SettingError(f"atol={atol!r:.60}", f"an absolute tolerance {why}", "Type atol=0.0")
