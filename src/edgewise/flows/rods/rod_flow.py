"""The rod flow: two consecutive iterates as one rod, for gradient descent, momentum and adaptive methods alike."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from edgewise.curvature import EffectiveHessian, Hessian
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.flows.rods.symmetrized import (
    Ends,
    lengthened,
    look_at_ends,
    relaxation,
    require_displacement,
    search_is_due,
    turned,
)
from edgewise.foundation import Parameters, SettingError
from edgewise.linalg import Preconditioner, eigenpairs
from edgewise.methods import Adam, AnyMethod, GradientDescent, HeavyBall, Nesterov, RMSProp
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RodFlowState:
    """What the rod flow carries beside its centre.

    Attributes:
        seed: of the search for the top eigenvector.
        u: the direction of the rod, of length one.
        x: its signed half-length; the rod is d = xu.
        before: what momentum remembers of the last step: x₋, for Nesterov's (1 − ηλ₋) x₋.
        smallest: the half-length at which the ends are looked at when x is smaller.
        curvature: of the rod in the metric of the preconditioner, measured a step ago; None at the start.
        method: the state of the method, the even part of its momentum and of its squared gradients in it.
        ends: loss and gradient at both ends.
        spent: the cost so far.
    """

    seed: int
    u: Tensor
    x: float
    before: float
    smallest: float
    curvature: float | None
    method: Any
    ends: Ends
    spent: Cost

    @property
    def half_length(self) -> float:
        """|x|, or the smallest length that is looked at."""
        return max(abs(self.x), self.smallest)


@final
@dataclass(frozen=True, slots=True)
class RodFlow(Flow[RodFlowState]):
    """The rod flow: a method at the edge as a rod with centre c and ends c ± d.

        ḡ = ½ [∇L(c + d) + ∇L(c − d)],     ĝ = ½ [∇L(c + d) − ∇L(c − d)]
        dc/dt = the step of the method for ḡ,     its second moments fed with ḡ² + ĝ²
        x' = −C₀₀(λ) x − β x₋,     λ = ⟨d, ĝ⟩/⟨d, Pd⟩,     d = xu turns toward P⁻¹ĝ

    P is the method's preconditioner, the identity for most, C its companion matrix and β its momentum, so that a
    mode obeys w' = C₀₀w − βw₋ (Nesterov's remembers (1 − ηλ₋)w₋); here its sign alternates. For gradient descent
    x' = (ηλ − 1) x, and at the critical curvature of every method x' = x is a solution. ĝ/x is the Hessian
    averaged over the rod, applied to its direction, so curvature, growth and turning come out of the same two
    gradients as the motion of the centre, quartic terms included, with no second derivative. A method that is
    linear in gradients splits into even and odd part without approximation, momentum included
    (see `symmetrized`); of the squares that adaptive methods average, the odd part 2ḡĝ alternates in sign and is
    left out.

    A step takes two gradients. At the start, and at every 20th step while hardly anything oscillates, the top
    eigenvector is looked for, since a turning rod cannot see one that rises orthogonally to it. There is one
    rod: several critical modes lie in it together, with one sign. The centre takes plain steps of the method,
    except along the rod near the edge: from 80 % of the critical curvature on, in full from 95 %, it relaxes
    there as the gradient flow does; what it gives up goes to the rod, so that one end stays where the iterate is.

    Args:
        method: `GradientDescent`, `HeavyBall`, `Nesterov`, `RMSProp` or `Adam`.
        displacement: |x| at the start, and the least that the oscillation decays to, as a share of ‖w‖ there; in
            single precision the two gradients differ by more than rounding from about 1e-5.

    Raises:
        SettingError: for a method that is none of these, β₂ = 0, or a displacement outside (0, 1).

    References:
        regis2026rod
    """

    method: AnyMethod
    displacement: float = 1e-5
    products: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.method, _SPLIT):
            names = ", ".join(each.__name__ for each in _SPLIT)
            raise SettingError(
                f"RodFlow({type(self.method).__name__}(…))",
                f"the even and the odd part of a step are known for {names}",
                "Type RodFlow(GradientDescent(lr)), or StableFlow(method) for its flow without oscillation",
            )
        if _kept_squares(self.method) == 0:
            raise SettingError(
                "RodFlow of a method with beta2=0",
                "its squared gradients are not averaged, so they alternate with the iterate",
                "Type beta2=0.99",
            )
        require_displacement(self.displacement)

    @property
    def described(self) -> AnyMethod:
        """The method whose iterates the ends of the rod stand for."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> RodFlowState:
        """Centre at `w`, a short rod along the top eigenvector."""
        pairs = eigenpairs(Hessian(objective, w), k=1, rtol=1e-2, seed=seed)
        u, smallest = pairs.vectors[:, 0].contiguous(), self.displacement * lengthened(w)
        return RodFlowState(
            seed=seed,
            u=u,
            x=smallest,
            before=smallest,
            smallest=smallest,
            curvature=None,
            method=self.method.init(w),
            ends=look_at_ends(objective, w, smallest * u),
            spent=Cost(gradients=3, products=pairs.products),
        )

    def advance(
        self, objective: Objective, point: Point, state: RodFlowState, step_size: float
    ) -> tuple[Parameters, RodFlowState]:
        """Centre and rod after one step of the method.

        Raises:
            FlowError: if the rod grew until the loss overflowed.
        """
        method, memory, u = self.method.with_step_size(step_size), self._fed(state), state.u
        gradient, force = state.ends.mean, state.ends.half_difference / state.half_length
        P = method.preconditioner(point.w, gradient, memory)
        spent = state.spent + Cost(gradients=2)
        if state.method.step and search_is_due(state.method.step, state.x, state.smallest):
            half = P.power(-0.5)
            matrix = EffectiveHessian(Hessian.at(point), P)
            pairs = eigenpairs(matrix, k=1, rtol=1e-2, seed=state.seed, start=(P.power(0.5) @ u)[:, None])
            u = half @ pairs.vectors[:, 0].contiguous()
            u = u / torch.linalg.vector_norm(u)
            force, spent = point.hvp(u), spent + Cost(gradients=1, products=pairs.products + 1)
        Pu = P @ u
        weight = torch.dot(u, Pu)
        curvature = torch.dot(u, force) / weight
        product = P.power(-1.0) @ force
        turn = turned(u, product, curvature, (torch.dot(product, force) / weight).sqrt())

        centre, memory = method.step(point.w, gradient, memory)
        C = method.companion(float(curvature), state.method)
        x, remembered = -float(C[0, 0]) * state.x - _momentum(method) * state.before, state.x
        share = _share_at_rest(float(curvature) / method.critical_curvature_at(memory))
        if share > 0:
            # The part along the rod is oblique in the metric, and could be longer than the step itself.
            whole = float(torch.linalg.vector_norm(centre - point.w))
            stepped = min(whole, max(-whole, float(torch.dot(Pu, centre - point.w) / weight)))
            bottom = -float(torch.dot(u, gradient) / curvature / weight)
            time = _long_run_step(method, step_size) * float(curvature)
            # Never farther than the method would go: its first steps are short where its squares are small.
            relaxed = share * math.copysign(min(abs(bottom) * relaxation(time), abs(stepped)), bottom)
            moved = relaxed + (1.0 - share) * stepped
            centre = centre + (moved - stepped) * u
            memory = _at_rest(memory, u, share * Pu / weight)
            # What the centre gives up goes to the rod, so that the end of it stays where the iterate is.
            sign = -1.0 if state.method.step % 2 else 1.0
            x -= sign * (stepped - moved)
            remembered -= sign * share * moved
        if isinstance(method, Nesterov):
            remembered *= 1.0 - step_size * float(curvature)
        grown = max(1.0, state.smallest / max(abs(x), abs(remembered), _TINY))
        after = replace(
            state,
            u=turn / torch.linalg.vector_norm(turn),
            x=x * grown,
            before=remembered * grown,
            curvature=float(curvature),
            method=memory,
            spent=spent,
        )
        return centre, replace(after, ends=look_at_ends(objective, centre, after.half_length * after.u))

    def predict(self, objective: Objective, point: Point, state: RodFlowState) -> Prediction:
        """Means over the two ends, x², and the curvature of the rod that was met a step ago."""
        return Prediction(
            loss=state.ends.loss,
            gradient_norm=state.ends.gradient_norm,
            sharpness=state.curvature,
            variance=(state.x**2,),
            directions=state.u[:, None],
        )

    def preconditioner(self, point: Point, state: RodFlowState) -> Preconditioner:
        """P of the coming step, for the squared gradients of both ends."""
        return self.method.preconditioner(point.w, state.ends.mean, self._fed(state))

    def critical_curvature_at(self, point: Point, state: RodFlowState, step: int) -> float:
        """That of the method at its even state."""
        return self.method.with_step_size(self.step_size_at(step)).critical_curvature_at(state.method)

    def cost(self, state: RodFlowState) -> Cost:
        """Gradients and products so far."""
        return state.spent

    def _fed(self, state: RodFlowState) -> Any:
        """The method's state such that its coming average of squares is that of ḡ² + ĝ²."""
        kept = _kept_squares(self.method)
        if kept is None:
            return state.method
        squares = state.method.square_average + (1 - kept) / kept * state.ends.half_difference.square()
        return replace(state.method, square_average=squares)


# Below the smallest number of either precision's square root, so that it divides safely.
_TINY = 1e-150

_SPLIT = (GradientDescent, HeavyBall, Nesterov, RMSProp, Adam)


def _kept_squares(method: AnyMethod) -> float | None:
    """β₂, where there is one."""
    match method:
        case RMSProp():
            return method.beta2
        case Adam():
            return method.betas[1]
        case _:
            return None


def _share_at_rest(edge_ratio: float) -> float:
    """How much of the centre's motion along the rod is the flow's: none at 80 % of the edge, all from 95 %."""
    return min(1.0, max(0.0, (edge_ratio - 0.8) / 0.15))


def _momentum(method: AnyMethod) -> float:
    """β, the share of the last displacement that is kept."""
    match method:
        case HeavyBall() | Nesterov():
            return method.beta
        case Adam():
            return method.betas[0]
        case _:
            return 0.0


def _long_run_step(method: AnyMethod, step_size: float) -> float:
    """What a constant gradient is multiplied by in the long run: η/(1 − β) where a velocity adds it up."""
    return step_size / (1.0 - method.beta) if isinstance(method, HeavyBall | Nesterov) else step_size


def _at_rest(memory: Any, u: Parameters, across: Parameters) -> Any:
    """The method's state without momentum along the rod; `across` is the share of it times Pu/⟨u, Pu⟩."""
    for name in ("velocity", "average"):
        if any(field.name == name for field in fields(memory)):
            momentum = getattr(memory, name)
            return replace(memory, **{name: momentum - torch.dot(u, momentum) * across})
    return memory
