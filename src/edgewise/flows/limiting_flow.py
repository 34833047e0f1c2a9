"""The limiting flow: how methods that cannot settle slide along the minimisers toward lower sharpness."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.curvature import Hessian, Tracker, TrackerState
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.flows.gradient_flow import GradientFlow
from edgewise.foundation import FlowError, Parameters, SettingError
from edgewise.methods import AnyMethod, NormalizedGD, SqrtLossGD
from edgewise.objectives import Objective, Point

# Beside the gradients of the oscillation, ηλ₁/2 on average, what is left after returning does not count.
_ON_MANIFOLD = 1e-3
# Within this of the manifold, in the same units, Newton's method is shorter than the gradient flow.
_NEAR = 1.0
_RETURNS, _PRODUCTS, _LANDING = 6, 60, 30
_TRACKER = Tracker(k=1, rtol=1e-4)


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitingFlowState:
    """What the limiting flow carries.

    Attributes:
        tracker: of the top two eigenpairs.
        sharpness: λ₁, measured a step ago; None before the first step.
        step_size: η of that step, which the oscillation is as long as.
        landed: whether it is on the manifold of minimisers.
        spent: the cost so far.
    """

    tracker: TrackerState
    sharpness: float | None
    step_size: float | None
    landed: bool
    spent: Cost


@final
@dataclass(frozen=True, slots=True)
class LimitingFlow(Flow[LimitingFlowState]):
    """The limiting flow on a manifold of minimisers.

        normalised gradient descent:     dX/dτ = −¼ P ∇log λ₁(H(X)),    τ = η² t
        gradient descent on √(L − min L):  dX/dτ = −⅛ P ∇λ₁(H(X)),       τ = η² t

    P projects on the tangent space of the manifold, the null space of H. Both methods come down to the
    manifold in about 1/η steps, cannot settle on it, and oscillate across it along the top eigenvector u: with
    amplitudes δₜ of a period of two the gradient is λ₁δₜ, and the mean of the cubic terms, −½δ²∇λ₁, remains.
    Divided by λ₁|δ|, with |δₜ| + |δₜ₊₁| = η, that is the first flow; divided by 2√(λ₁/2)|δ|, with
    η√(λ₁/2) in the place of η, the second. So per step it moves by η² times these, and after τ/η² steps it is
    within O(η) of the run. It needs an isolated top eigenvalue and a loss that reaches its minimum.

    Moving along the unprojected field and returning to the manifold is the same to first order, because the
    return, w − H⁺∇L(w) by conjugate gradients, takes off exactly what lies in the range of H; only
    curvatures that 60 products do not resolve, below about a thousandth of λ₁, count as tangent. No basis of the
    range is formed. The first step comes down from the start by the gradient flow, however far; the run's
    way down is not followed.

    A step costs a gradient, one third-order product and two or three eigenvector products, and for returning one
    to three gradients with at most 60 products each; coming down costs what the gradient flow takes.

    Args:
        method: `NormalizedGD(lr)` or `SqrtLossGD(lr)`.

    Raises:
        SettingError: for any other method.

    References:
        arora2022understanding
    """

    method: AnyMethod

    def __post_init__(self) -> None:
        if not isinstance(self.method, NormalizedGD | SqrtLossGD):
            raise SettingError(
                f"LimitingFlow({type(self.method).__name__}(…))",
                "only methods whose steps do not shrink at a minimum go on sliding along a manifold of them",
                "Type LimitingFlow(NormalizedGD(lr)) or LimitingFlow(SqrtLossGD(lr))",
            )

    @property
    def described(self) -> AnyMethod:
        """The method that oscillates across the manifold."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> LimitingFlowState:
        """At `w`, wherever that is; the first step comes down to the manifold."""
        tracker = _TRACKER.init(seed)
        return LimitingFlowState(tracker=tracker, sharpness=None, step_size=None, landed=False, spent=Cost())

    def advance(
        self, objective: Objective, point: Point, state: LimitingFlowState, step_size: float
    ) -> tuple[Parameters, LimitingFlowState]:
        """The flow a time η² later, on the manifold.

        Raises:
            FlowError: if the manifold is not reached, or lost.
        """
        spent, tracker = state.spent, state.tracker
        if not state.landed:
            w, cost = _land(objective, point.w, step_size, tracker)
            point, spent = objective.at(w), spent + cost
        pairs, tracker = _TRACKER.read(Hessian.at(point), tracker)
        sharpness, u = float(pairs.values[0]), pairs.vectors[:, 0].contiguous()
        if not sharpness > 0:
            raise FlowError(
                f"a limiting flow where the largest curvature is {sharpness:.3g}",
                "across a manifold of minimisers it is positive",
                "Start the flow where the loss has a minimum in its neighbourhood",
            )
        slope = point.third(u, u)
        rate = -0.25 / sharpness if isinstance(self.method, NormalizedGD) else -0.125
        w = point.w.add(slope, alpha=rate * step_size**2)
        w, cost = _returned(objective, w, _ON_MANIFOLD * step_size * sharpness)
        return w, LimitingFlowState(
            tracker=tracker,
            sharpness=sharpness,
            step_size=step_size,
            landed=True,
            spent=spent + cost + Cost(gradients=1, products=pairs.products, thirds=1),
        )

    def predict(self, objective: Objective, point: Point, state: LimitingFlowState) -> Prediction:
        """L and what the symmetric oscillation adds, |δₜ| = |δₜ₊₁|.

        Its amplitude is η/2 under normalised gradient descent and η√(λ₁/8) on √L. Only the sum of two
        consecutive amplitudes is fixed; a lopsided oscillation has up to twice the mean loss.
        """
        loss, norm = float(point.value), float(point.gradient.norm())
        if state.sharpness is None or state.step_size is None:
            return Prediction(loss=loss, gradient_norm=norm)
        eta = state.step_size
        squared = eta**2 / 4 if isinstance(self.method, NormalizedGD) else eta**2 * state.sharpness / 8
        return Prediction(
            loss=loss + 0.5 * state.sharpness * squared,
            gradient_norm=math.hypot(norm, state.sharpness * math.sqrt(squared)),
            sharpness=state.sharpness,
            variance=(squared,),
            directions=state.tracker.blocks[0][:, :1],
        )

    def cost(self, state: LimitingFlowState) -> Cost:
        """Everything so far, coming down included."""
        return state.spent


def _land(objective: Objective, w: Parameters, step_size: float, tracker: TrackerState) -> tuple[Parameters, Cost]:
    """Down to the manifold by the gradient flow, over times that double, until Newton's method is shorter."""
    flow, state, cost = GradientFlow(rtol=1e-6), None, Cost()
    for doubling in range(_LANDING):
        point = objective.at(w)
        pairs, tracker = _TRACKER.read(Hessian.at(point), tracker)
        cost = cost + Cost(gradients=1, products=pairs.products)
        sharpness = float(pairs.values[0])
        if sharpness > 0 and float(point.gradient.norm()) <= _NEAR * step_size * sharpness:
            w, back = _returned(objective, w, _ON_MANIFOLD * step_size * sharpness)
            return w, cost + back + (Cost() if state is None else flow.cost(state))
        state = state or flow.init(objective, w, tracker.seed)
        w, state = flow.advance(objective, point, state, step_size * 2.0**doubling)
    raise FlowError(
        f"a start from which the gradient flow has come to ‖∇L‖ = {float(objective.gradient(w).norm()):.3g} only",
        "there is no minimum in reach, so no manifold of them to slide along",
        "Train to a low loss first, on a problem that the network can fit exactly",
    )


def _returned(objective: Objective, w: Parameters, tolerance: float) -> tuple[Parameters, Cost]:
    """The minimiser nearest to `w`, up to its tangent space: Newton steps by conjugate gradients."""
    cost = Cost()
    for _ in range(_RETURNS):
        point = objective.at(w)
        cost = cost + Cost(gradients=1)
        norm = float(torch.linalg.vector_norm(point.gradient))
        if norm <= tolerance:
            return w, cost
        w = w - _across(point)
        cost = cost + Cost(products=point.products)
    raise FlowError(
        f"‖∇L‖ = {norm:.3g} after {_RETURNS} Newton steps back to the manifold of minimisers",
        f"it should be below {tolerance:.3g}, a thousandth of what the oscillation makes it",
        "Type a smaller lr, or start nearer to a minimum",
    )


def _across(point: Point) -> Tensor:
    """H⁺∇L by conjugate gradients from zero, which never leave the range of H; stopped where H is not positive."""
    residual = point.gradient.clone()
    solution, direction = torch.zeros_like(residual), residual
    squared = first = torch.dot(residual, residual)
    for _ in range(min(_PRODUCTS, residual.shape[0])):
        product = point.hvp(direction)
        curvature = torch.dot(direction, product)
        if not float(curvature) > 0:
            break
        length = squared / curvature
        solution = solution + length * direction
        residual = residual - length * product
        before, squared = squared, torch.dot(residual, residual)
        if float(squared) <= 1e-6 * float(first):
            break
        direction = residual + (squared / before) * direction
    return solution
