"""Stable flow: the flow of any method, without its oscillation."""

from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import ClassVar, final

import torch

from edgewise.flows.cost import Cost
from edgewise.flows.drift import Along, Ascended, Decayed, Drift, Moments, Normalized, Rooted, Seen, require_memory
from edgewise.flows.flow import Flow, Prediction
from edgewise.flows.gradient_flow import require_tolerances
from edgewise.flows.integrators import RKC3, Integrator, Place, Stride, VectorField, begin, march, resume
from edgewise.foundation import FlowError, Parameters, SettingError, Vector
from edgewise.linalg import PositiveDiagonal, Preconditioner
from edgewise.methods import (
    SAM,
    SGD,
    Adam,
    AdamW,
    AnyMethod,
    AveragedMomentum,
    DecoupledWeightDecay,
    GradientDescent,
    HeavyBall,
    Nesterov,
    NormalizedGD,
    RMSProp,
    ScalarRMSProp,
    SqrtLossGD,
    WeightDecay,
)
from edgewise.objectives import Objective, Point

# Gradients that one step of the method may cost; the stiffest that are worth it take tens.
_MOST = 1000


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StableFlowState:
    """What a stable flow carries.

    Attributes:
        time: where it is: accumulated step sizes.
        step_size: η that the stride was made for.
        stride: the integrator's step that this time lies in.
    """

    time: float
    step_size: float
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
        RMSProp, scalar RMSProp, Adam               dw/dτ = −g/(√ν + ε),   η dν/dτ = ((1 − β₂)/β₂)(g² − ν)/c
        decoupled weight decay, AdamW               −γ w beside it; coupled decay: g + γ w in the place of g

    Momentum: a velocity v' = β v + g rests at g/(1 − β) while g hardly changes, and so do η and the averages m of
    Adam, which then are g itself once corrected for their start. Of Adam's second moment it is the corrected
    one that is followed: it starts at g², and c = 1 − β₂ᵗ, t = 1 + τ/η, is the part of its memory that is
    filled; for the others c = 1. Of SGD the noise is left out.

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
        drift(self.method)

    @property
    def described(self) -> AnyMethod | None:
        """`method`."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> StableFlowState:
        """Time zero: what is averaged starts from the gradient there."""
        step_size = self.step_size_at(0)
        vector_field = DriftField(objective, drift(self.method), step_size)
        stride = begin(vector_field, vector_field.start(w), self.integrator, self.rtol, seed)
        stride = replace(stride, cost=stride.cost + Cost(gradients=1))  # of what is averaged
        return StableFlowState(time=0.0, step_size=step_size, stride=stride)

    def advance(
        self, objective: Objective, point: Point, state: StableFlowState, step_size: float
    ) -> tuple[Parameters, StableFlowState]:
        """The flow a time η later; where η changes and a memory is counted in steps, the stride starts anew.

        Raises:
            FlowError: if that takes more gradients than any description of one step is worth.
        """
        vector_field, stride = DriftField(objective, drift(self.method), step_size), state.stride
        if step_size != state.step_size and vector_field.drift.remembers:
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
        return w, StableFlowState(time=time, step_size=step_size, stride=stride)

    def predict(self, objective: Objective, point: Point, state: StableFlowState) -> Prediction:
        """Loss and gradient norm at its point."""
        return Prediction(loss=float(point.value), gradient_norm=float(point.gradient.norm()))

    def preconditioner(self, point: Point, state: StableFlowState) -> Preconditioner | None:
        """P at the present time, by which the gradient is divided; None where it is not."""
        size = point.w.shape[0]
        divisor = drift(self.method).divisor(state.stride.at(state.time)[size:])
        return None if divisor is None else PositiveDiagonal(divisor.expand(size).clone())

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
        return torch.cat([w, self.drift.begin(w, self.objective.gradient(w))])

    def at(self, y: Vector, *, curvature: bool = False) -> Place:
        """The drift at y."""
        point = self.objective.at(y[: self.size], products=curvature)
        moments = y[self.size :]
        return self.drift.at(
            Seen(
                objective=self.objective,
                point=point,
                gradient=point.gradient,
                shift=0.0,
                moments=moments,
                eta=self.eta,
            )
        )


@singledispatch
def drift(method: AnyMethod) -> Drift:
    """The drift of a method.

    Raises:
        SettingError: if it is not known, or does not exist.
    """
    name = type(method).__name__
    raise SettingError(
        f"StableFlow({name}(…))",
        f"where {name} goes as its step size goes to zero is not known here",
        "Type GradientFlow(), or StableFlow of one of: SGD, GradientDescent, HeavyBall, Nesterov, "
        "AveragedMomentum, NormalizedGD, SqrtLossGD, SAM, RMSProp, ScalarRMSProp, Adam, AdamW",
    )


@drift.register(GradientDescent)
@drift.register(AveragedMomentum)
def _(method: GradientDescent | AveragedMomentum) -> Drift:
    return Along()


@drift.register(HeavyBall)
@drift.register(Nesterov)
def _(method: HeavyBall | Nesterov) -> Drift:
    # w' − w = −η v' with v' = g/(1 − β); Nesterov's −η (g + β v') is the same.
    return Along(1.0 / (1.0 - method.beta))


@drift.register
def _(method: SGD) -> Drift:
    dampening = method.dampening if method.momentum > 0.0 else 0.0
    along = Along((1.0 - dampening) / (1.0 - method.momentum))
    return Decayed(along, method.weight_decay, coupled=True) if method.weight_decay else along


@drift.register
def _(method: NormalizedGD) -> Drift:
    return Normalized()


@drift.register
def _(method: SqrtLossGD) -> Drift:
    return Rooted(method.minimum)


@drift.register
def _(method: SAM) -> Drift:
    return Ascended(method.rho)


@drift.register
def _(method: RMSProp) -> Drift:
    require_memory(f"StableFlow({method})", method.beta2)
    # Its average starts at zero.
    first = 1.0 - method.beta2
    return Moments(beta2=method.beta2, eps=method.eps, by_parameter=True, corrected=False, first=first)


@drift.register
def _(method: ScalarRMSProp) -> Drift:
    require_memory(f"StableFlow({method})", method.beta2)
    # Its average starts at the first squared gradient norm.
    return Moments(beta2=method.beta2, eps=method.eps, by_parameter=False, corrected=False, first=1.0)


@drift.register
def _(method: Adam) -> Drift:
    return _adam(method, method.betas[1], method.eps)


@drift.register
def _(method: AdamW) -> Drift:
    return Decayed(_adam(method, method.betas[1], method.eps), method.weight_decay, coupled=False)


@drift.register
def _(method: WeightDecay) -> Drift:
    return Decayed(drift(method.method), method.decay, coupled=True)


@drift.register
def _(method: DecoupledWeightDecay) -> Drift:
    return Decayed(drift(method.method), method.decay, coupled=False)


def _adam(method: AnyMethod, beta2: float, eps: float) -> Drift:
    require_memory(f"StableFlow({method})", beta2)
    return Moments(beta2=beta2, eps=eps, by_parameter=True, corrected=True, first=1.0)
