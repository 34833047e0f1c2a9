"""Stable flow: the flow of any method, without its oscillation."""

import math
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar, final

import torch
from torch import Tensor

from edgewise.curvature import EffectiveHessian, Hessian, TrackerState
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.flows.gradient_flow import require_tolerances
from edgewise.flows.integrators import (
    RKC3,
    Integrator,
    Place,
    Stride,
    VectorField,
    begin,
    march,
    require_integrator,
    resume,
)
from edgewise.flows.stable.drift import Drift, Motion, Seen
from edgewise.flows.stable.limits import drift
from edgewise.foundation import FlowError, Parameters, SettingError, Vector
from edgewise.linalg import Function, Operator, Preconditioner
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective, Point

# Gradients that one step of the method may cost; the stiffest that are worth it take tens.
_MOST = 1000


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StableFlowState:
    """What a stable flow carries.

    Attributes:
        step: the number of steps of the method so far.
        time: where it is: accumulated step sizes.
        step_size: η that the stride was made for.
        method: what it describes, as it fits the parameters.
        known: what the method measures of the curvature, as it was last measured.
        stride: the integrator's step that this time lies in.
    """

    step: int
    time: float
    step_size: float
    method: AnyMethod
    known: tuple[TrackerState, ...]
    stride: Stride


@final
@dataclass(frozen=True, slots=True)
class StableFlow(Flow[StableFlowState]):
    """The stable flow of a method: what is left of it as its step size goes to zero.

    It follows the method while that is stable, and parts from it at the edge of stability, where only the
    oscillation holds the method back. With g = ∇L(w) and time τ counted in step sizes,

        gradient descent, averaged momentum, SGD    dw/dτ = −g
        heavy ball, Nesterov                        dw/dτ = −g/(1 − β)
        normalized GD                               dw/dτ = −g/‖g‖
        GD on √(L − min L)                          dw/dτ = −g/(2√(L − min L))
        SAM                                         dw/dτ = −∇L(w + ρ g/‖g‖)
        Muon                                        dw/dτ = −s f(g) − γ w matrix by matrix, −g − γ w elsewhere
        RMSProp, scalar RMSProp, Adam, NAdam        dw/dτ = −g/(√ν + ε),   η dν/dτ = ((1 − β₂)/β₂)(g² − ν)/c
        frozen Adam                                 the same, and dν/dτ = 0 from step `freeze_at` on
        Adagrad                                     dw/dτ = −g/((1 + δτ/η)(√s + ε)),   η ds/dτ = g²
        schedule-free                               w = (1 − β) z + β x,   dz/dτ = −g,   dx/dτ = (z − x)/(ηt)
        decoupled weight decay, AdamW               −γ w beside it; coupled decay: g + γ w in the place of g
        projected                                   Π g in the place of g, Π measured as often as the method does
        parameter groups                            each with its part of g, in the time (η_g/η₁) τ
        at an edge ratio                            that of the method inside

    Momentum: a velocity v' = β v + g rests at g/(1 − β) while g hardly changes, and so do η and the averages m of
    Adam and Muon, which then are g itself, at once where they are corrected for their start. Of Adam's second
    moment it is the corrected one that is followed: it starts at g², and c = 1 − β₂ᵗ, t = 1 + τ/η, is the part of
    its memory that is filled; for the others c = 1. The mean x of schedule-free averaging moves by the share
    1/(t + 1) of z − x in a step, which is 1/(ηt) in time: 1/(τ + η) at a fixed η. A step size that is driven by
    the curvature decides only how much time a step takes: the flow goes as far as `advance` is told. Of SGD the
    noise is left out, and of Muon the rounding to `precision`.

    All of this is the limit of first order: the distance to the method at a fixed time falls as η does.

    Args:
        method: what it describes.
        rtol: as in `GradientFlow`.
        atol: likewise.
        integrator: likewise.

    Raises:
        SettingError: if the method has no stable flow here, or a tolerance is outside its range.

    Example:
        >>> import torch
        >>> from edgewise.methods import HeavyBall
        >>> bowl = Objective.from_function(lambda w: (w**2).sum() / 2, 1, start=torch.ones(1))
        >>> flow = StableFlow(HeavyBall(0.1, beta=0.5), rtol=1e-6)
        >>> w, _ = flow.advance(bowl, bowl.at(bowl.start), flow.init(bowl, bowl.start, seed=0), step_size=0.5)
        >>> round(float(w), 4)  # exp(−0.5/(1 − 0.5))
        0.3679

    References:
        cohen2025understanding
    """

    products: ClassVar[bool] = False

    method: AnyMethod
    rtol: float = 1e-3
    atol: float = 0.0
    integrator: Integrator = field(default_factory=RKC3)

    def __post_init__(self) -> None:
        require_tolerances(self.rtol, self.atol)
        require_integrator(self.integrator)
        drift(self.method)

    @property
    def described(self) -> AnyMethod | None:
        """`method`."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> StableFlowState:
        """Time zero: what is averaged starts from the gradient there.

        Raises:
            SettingError: if the method does not fit the parameters.
        """
        method = self.method.on(objective.space)
        method.init(w)  # refuses what does not fit
        step_size, limit = self.step_size_at(0), drift(method)
        known, paid = limit.measure(objective.at(w), 0, ())
        vector_field = DriftField(objective, limit.after(0, known), step_size)
        stride = begin(vector_field, vector_field.start(w), self.integrator, self.rtol, seed)
        # The other gradients are those of what is averaged.
        stride = replace(stride, cost=stride.cost + paid + Cost(gradients=limit.gradients))
        return StableFlowState(step=0, time=0.0, step_size=step_size, method=method, known=known, stride=stride)

    def advance(
        self, objective: Objective, point: Point, state: StableFlowState, step_size: float
    ) -> tuple[Parameters, StableFlowState]:
        """The flow a time η later; where the drift changes, or η does and steps are counted, a stride is cut.

        Raises:
            FlowError: if that takes more gradients than any description of one step is worth.
        """
        limit, known, measured = drift(state.method), state.known, Cost()
        if state.step > 0:
            known, measured = limit.measure(point, state.step, known)
        moving, before = limit.after(state.step, known), _moving(state)
        vector_field = DriftField(objective, moving, step_size)
        stride = replace(state.stride, cost=state.stride.cost + measured)
        seen_anew = any(new is not old for new, old in zip(known, state.known, strict=True))
        if seen_anew or moving != before or (step_size != state.step_size and moving.remembers):
            stride = resume(vector_field, stride, state.time)
        time = state.time + step_size
        paid = stride.cost.gradients
        while stride.end < time:
            stride = march(vector_field, stride, self.integrator, self.rtol, self.atol)
            if stride.cost.gradients - paid > _MOST:
                raise FlowError(
                    f"{self} at time {stride.end:.6g}",
                    f"one step of the method takes it more than {_MOST} gradients: where a second moment is "
                    "hardly filled, the flow is as stiff as the smallest gradient makes it",
                    "Type RodFlow(method), a smaller beta2, or fork the run once it has warmed up",
                )
        w = stride.at(time)[: objective.size].clone()
        after = replace(state, step=state.step + 1, time=time, step_size=step_size, known=known, stride=stride)
        return w, after

    def predict(self, objective: Objective, point: Point, state: StableFlowState) -> Prediction:
        """Loss and gradient norm at its point."""
        return Prediction(loss=float(point.value), gradient_norm=float(point.gradient.norm()))

    def preconditioner(self, point: Point, state: StableFlowState) -> Preconditioner | None:
        """P at the present time, by which every parameter's gradient is divided; None where it is not."""
        limit = drift(state.method).after(state.step, state.known)
        return limit.preconditioner(_seen(point, point.gradient, _beside(point, state), state.step_size))

    def critical_curvature_at(self, point: Point, state: StableFlowState, step: int) -> float:
        """Where the method loses stability where the flow is, by the method's own closed form.

        What a step sees is that of the flow: 2‖g‖/η for normalized GD, 4√(L − min L)/η on the root of the loss,
        (‖g‖/2ρ)(√(1 + 8ρ/(η‖g‖)) − 1) for SAM, 2(√ν + ε)/η for scalar RMSProp. What follows from the number of the
        step is that of `step`: c of schedule-free averaging, the momentum of NAdam with Π = 0, for its average is
        at rest. The gradient that the first and the third take at the point is not counted in the cost.

        NaN at a driven edge ratio: its step size follows from curvature that the flow does not measure.
        """
        try:
            settled = state.method.settled(point.w, step)
        except SettingError:
            return math.nan
        limit = drift(state.method).after(state.step, state.known)
        held = limit.held(settled, point, lambda: point.gradient, _beside(point, state))
        return state.method.critical_curvature_at(held)

    def cost(self, state: StableFlowState) -> Cost:
        """Up to the end of the integrator's step, which lies ahead of the present time."""
        return state.stride.cost


@final
class DriftField(VectorField):
    """A drift on an objective, at a step size."""

    def __init__(self, objective: Objective, drift: Drift, eta: float) -> None:
        self.objective, self.drift, self.eta = objective, drift, eta
        self.size, self.gradients = objective.size, drift.gradients

    def start(self, w: Parameters) -> Vector:
        """w and what is beside it."""
        return torch.cat([w, self.drift.begin(w, self.drift.look(self.objective, self.objective.at(w)))])

    def at(self, y: Vector, *, curvature: bool = False) -> Place:
        """The drift at y."""
        point = self.objective.at(y[: self.size], products=curvature)
        gradient = self.drift.look(self.objective, point)
        motion = self.drift.at(_seen(point, gradient, y[self.size :], self.eta))
        return Place(velocity=motion.velocity, curvature=_behind(point, motion), rate=motion.rate)


def _moving(state: StableFlowState) -> Drift:
    """The drift that the stride was made for."""
    return drift(state.method).after(max(0, state.step - 1), state.known)


def _beside(point: Point, state: StableFlowState) -> Tensor:
    """What the drift carries beside w, at the present time."""
    return state.stride.at(state.time)[point.w.shape[0] :]


def _seen(point: Point, gradient: Tensor, moments: Tensor, eta: float) -> Seen:
    return Seen(point=point, w=point.w, gradient=gradient, shift=0.0, moments=moments, eta=eta)


def _behind(point: Point, motion: Motion) -> Operator:
    """M^(-1/2) Π H Π M^(-1/2)."""
    hessian: Operator = Hessian.at(point)
    if motion.within is not None:
        hessian = hessian.conjugate_by(motion.within)
    metric = motion.metric
    if metric is None:
        return hessian

    # Few places are asked for products, and a matrix has to be decomposed for them.
    @cache
    def effective() -> Operator:
        return EffectiveHessian(hessian, metric)

    return Function(lambda v: effective() @ v, hessian.size, hessian.dtype, hessian.device)
