"""The constrained trajectory of self-stabilisation: gradient descent that is never past the edge."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from edgewise.curvature import TrackerState
from edgewise.flows.constrained.edge_constraint import EDGE_TRACKER, Reading, project, read
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.foundation import Parameters, SettingError
from edgewise.methods import AnyMethod, GradientDescent
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConstrainedFlowState:
    """What the constrained flow carries, and what it knows of the present point.

    Attributes:
        tracker: of the modes near the edge.
        gradient: ∇L, which the coming step takes.
        sharpness: S = λ₁.
        values: λᵢ of the critical modes, those within 2.5 % of the edge, largest first.
        vectors: uᵢ, as columns.
        alpha: αᵢⱼ = −⟨∇L, P⊥∇(uᵢᵀHuⱼ)⟩, how fast the curvature would grow.
        beta: βᵢ = ‖P⊥∇λᵢ‖².
        covariance: Σ of the oscillation that keeps the critical modes from crossing; δ² for a single one.
        spent: the cost so far.
    """

    tracker: TrackerState
    gradient: Tensor
    sharpness: float
    values: Tensor
    vectors: Tensor
    alpha: Tensor
    beta: Tensor
    covariance: Tensor
    spent: Cost

    @property
    def delta(self) -> float:
        """δ = √(2α/β) of the first critical mode; NaN where none is critical or its curvature does not grow."""
        if not len(self.values) or float(self.alpha[0, 0]) < 0:
            return math.nan
        return math.sqrt(2 * float(self.alpha[0, 0]) / float(self.beta[0]))


@final
@dataclass(frozen=True, slots=True)
class ConstrainedFlow(Flow[ConstrainedFlowState]):
    """The constrained trajectory of gradient descent at the edge of stability.

        w' = proj_M (w − η ∇L(w)),    M = {λᵢ ≤ 2/η for all i, ⟨∇L, uᵢ⟩ = 0 for every critical i}

    Gradient descent oscillates around it and, averaged over time, follows it. Below the edge nothing is
    constrained, and w' is the step of gradient descent itself; a mode is held in its valley once its curvature
    is within 2.5 % of 2/η. For one critical mode, with α = −⟨∇L, ∇S⟩ and β = ‖∇S‖² taken orthogonally to u, the
    oscillation has the variance δ² = 2α/β, the mean loss exceeds L(w) by δ²/η, and the mean squared gradient
    exceeds ‖∇L(w)‖² by 4δ²/η². For several, δ² becomes the matrix Σ of the complementarity problem

        0 ≼ Σ ⟂ −α + ½B[Σ] ≽ 0,    Bᵢⱼₖₗ = ⟨∇(uᵢᵀHuⱼ), ∇(uₖᵀHuₗ)⟩

    that the central flow solves too: the push of the projection is (η/2) Σ.

    A step costs one gradient and a few products below the edge. At the edge each of up to three projections takes
    a gradient, one or two products for each critical mode, and k(k + 1)/2 third-order products for k of them.

    Args:
        method: `GradientDescent(lr)`.

    Raises:
        SettingError: for any other method.

    References:
        damian2022selfstabilization
    """

    method: AnyMethod
    products: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_gradient_descent("ConstrainedFlow", self.method)

    @property
    def described(self) -> AnyMethod:
        """The gradient descent that oscillates around it."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> ConstrainedFlowState:
        """At `w`, which has to lie below the edge.

        Raises:
            SettingError: if the sharpness at `w` is above 2/η.
        """
        eta = self.step_size_at(0)
        reading = read(objective.at(w), 2.0 / eta, EDGE_TRACKER.init(seed))
        sharpness = reading.modes.top
        if sharpness > 2.0 / eta:
            lr = 1.8 / sharpness
            raise SettingError(
                f"ConstrainedFlow with lr={eta:g} from a start of sharpness {sharpness:.4g}",
                f"its trajectory stays below 2/η = {2 / eta:.4g}, and the start is above",
                f"Type ConstrainedFlow(GradientDescent({lr:.2g})), for which 2/η = {2 / float(f'{lr:.2g}'):.4g}",
            )
        return _known(reading, eta, reading.cost + Cost(gradients=1))

    def advance(
        self, objective: Objective, point: Point, state: ConstrainedFlowState, step_size: float
    ) -> tuple[Parameters, ConstrainedFlowState]:
        """A step of gradient descent, projected onto M.

        Raises:
            FlowError: if there is no point of M nearby.
        """
        w = point.w.add(state.gradient, alpha=-step_size)
        w, reading = project(objective, w, step_size, state.tracker)
        return w, _known(reading, step_size, state.spent + reading.cost)

    def predict(self, objective: Objective, point: Point, state: ConstrainedFlowState) -> Prediction:
        """L + ½ tr ΛΣ, which is L + δ²/η at the edge, and ‖∇L‖² + tr Λ²Σ."""
        on_modes, values = state.covariance.diagonal(), state.values.double()
        variance, turn = torch.linalg.eigh(state.covariance)
        squared = float(point.gradient.double().square().sum() + (values.square() * on_modes).sum())
        return Prediction(
            loss=float(point.value) + 0.5 * float((values * on_modes).sum()),
            gradient_norm=math.sqrt(squared),
            sharpness=state.sharpness,
            variance=tuple(variance.flip(0).tolist()),
            directions=state.vectors @ turn.flip(1).to(state.vectors),
        )

    def cost(self, state: ConstrainedFlowState) -> Cost:
        """Gradients, products and third-order products so far."""
        return state.spent


def require_gradient_descent(flow: str, method: AnyMethod) -> None:
    """Refuse a method whose constrained trajectory is not known."""
    if not isinstance(method, GradientDescent):
        raise SettingError(
            f"{flow}({type(method).__name__}(…))",
            "self-stabilisation is known for gradient descent only, where the edge is 2/η",
            f"Type {flow}(GradientDescent(lr)), or CentralFlow(method) for RMSProp",
        )


def _known(reading: Reading, step_size: float, spent: Cost) -> ConstrainedFlowState:
    modes, gradient = reading.modes, reading.point.gradient
    return ConstrainedFlowState(
        tracker=reading.tracker,
        gradient=gradient,
        sharpness=modes.top,
        values=modes.values,
        vectors=modes.vectors,
        alpha=modes.sharpening(gradient),
        beta=torch.einsum("iip->ip", modes.gradients).square().sum(1),
        covariance=modes.covariance(gradient, step_size),
        spent=spent,
    )
