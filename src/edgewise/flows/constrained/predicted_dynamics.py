"""Self-stabilisation's prediction of every iterate at the edge: a constrained trajectory and a displacement."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from edgewise.curvature import TrackerState
from edgewise.flows.constrained.constrained_flow import require_gradient_descent
from edgewise.flows.constrained.edge_constraint import EDGE_TRACKER, CriticalModes, Reading, project, read
from edgewise.flows.cost import Cost
from edgewise.flows.flow import Flow, Prediction
from edgewise.foundation import Parameters, SettingError
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Displacement:
    """The two parts of a predicted iterate, and what the next one follows from.

    Attributes:
        reference: w†, on the constrained trajectory.
        v: w − w†.
        loss: L(w†).
        gradient: ∇L(w†).
        product: H(w†) v.
        force: ∇L(w† + Ux), with which the exact restoring force is taken; None for the cubic one.
        modes: the critical modes at w†.
        covariance: Σ, δ² for one mode: the oscillation that would hold them at the edge.
    """

    reference: Tensor
    v: Tensor
    loss: float
    gradient: Tensor
    product: Tensor
    force: Tensor | None
    modes: CriticalModes
    covariance: Tensor

    @property
    def x(self) -> Tensor:
        """xᵢ = ⟨uᵢ, v⟩, the displacement along each critical mode."""
        return self.modes.vectors.T @ self.v

    @property
    def y(self) -> Tensor:
        """Yᵢⱼ = ⟨gᵢⱼ, v⟩, the change of uᵢᵀHuⱼ that comes with the displacement in the bulk."""
        return self.modes.gradients @ self.v

    @property
    def predicted_loss(self) -> float:
        """L(w†) + ½ xᵀΛx, which is L(w†) + x²/η at the edge."""
        return self.loss + 0.5 * float((self.modes.values * self.x.square()).sum())

    @property
    def predicted_sharpness(self) -> float:
        """λ₁(Λ + Y), 2/η + y at the edge: that of the midpoint of two iterates, where the oscillation cancels."""
        if not len(self.modes.values):
            return self.modes.top
        return float(torch.linalg.eigvalsh(torch.diag(self.modes.values) + self.y)[-1])


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictedDynamicsState:
    """What the predicted dynamics carry.

    Attributes:
        tracker: of the modes near the edge.
        displacement: from the constrained trajectory; None until the edge is reached.
        sharpness: λ₁ at w before the edge, None before it is first measured.
        spent: the cost so far.
    """

    tracker: TrackerState
    displacement: Displacement | None
    sharpness: float | None
    spent: Cost


@final
@dataclass(frozen=True, slots=True)
class PredictedDynamics(Flow[PredictedDynamicsState]):
    """Self-stabilisation's prediction of gradient descent, iterate by iterate.

        w = w† + v,    w†' = proj_M (w† − η ∇L(w†))
        v' = v − η [ ½ (xxᵀ − Σ) : g + H v + U Y x ],    x = Uᵀv,    Yᵢⱼ = ⟨gᵢⱼ, v⟩

    with the critical modes U of w†, gᵢⱼ = P⊥∇(uᵢᵀHuⱼ), and all derivatives taken at w†. For one critical mode
    at the edge this is v' = v − η [ ½ (x² − δ²) ∇S⊥ + H v + x y u ], and along u it is x' = −(1 + ηy) x. It comes
    from expanding ∇L(w† + v) to the cubic terms of L that matter: the oscillation is large along U, small in
    the bulk. The **exact** restoring force takes UUᵀ∇L(w† + Ux) for the expansion within U (their generalised
    prediction), which keeps the quartic terms.

    Displacements grow out of what the iterate brings to the edge, which no constrained trajectory knows. So up
    to the edge this is gradient descent itself; at the first iterate whose sharpness is 2/η or more, w† is its
    projection onto M, and v the rest. From there on no gradient at w is taken.

    Args:
        method: `GradientDescent(lr)`.
        exact: whether to take the exact restoring force; one gradient more a step.

    Raises:
        SettingError: for any other method, or if `exact` is neither true nor false.

    References:
        damian2022selfstabilization
    """

    method: AnyMethod
    exact: bool = False

    def __post_init__(self) -> None:
        require_gradient_descent("PredictedDynamics", self.method)
        exact: Any = self.exact
        if not isinstance(exact, bool):
            fix = "Type exact=True, or leave it out"
            raise SettingError(f"exact={exact!r:.60}", "it is either True or False", fix)

    @property
    def described(self) -> AnyMethod:
        """The gradient descent that it predicts."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> PredictedDynamicsState:
        """At `w`, with nothing measured yet."""
        return PredictedDynamicsState(
            tracker=EDGE_TRACKER.init(seed), displacement=None, sharpness=None, spent=Cost()
        )

    def advance(
        self, objective: Objective, point: Point, state: PredictedDynamicsState, step_size: float
    ) -> tuple[Parameters, PredictedDynamicsState]:
        """The next predicted iterate.

        Raises:
            FlowError: if the constrained trajectory cannot go on.
        """
        displacement, tracker, spent = state.displacement, state.tracker, state.spent
        if displacement is None:
            reading = read(point, 2.0 / step_size, tracker)
            tracker, spent = reading.tracker, spent + reading.cost + Cost(gradients=1)
            if reading.modes.top < 2.0 / step_size:
                w = point.w.add(point.gradient, alpha=-step_size)
                return w, PredictedDynamicsState(
                    tracker=tracker, displacement=None, sharpness=reading.modes.top, spent=spent
                )
            reference, reading = project(objective, point.w, step_size, tracker)
            displacement, cost = self._displaced(objective, reading, reference, point.w - reference, step_size)
            tracker, spent = reading.tracker, spent + reading.cost + cost
        v = displacement.v - step_size * _pull(displacement)
        ahead = displacement.reference.add(displacement.gradient, alpha=-step_size)
        reference, reading = project(objective, ahead, step_size, tracker)
        displacement, cost = self._displaced(objective, reading, reference, v, step_size)
        spent = spent + reading.cost + cost
        return reference + v, PredictedDynamicsState(
            tracker=reading.tracker,
            displacement=displacement,
            sharpness=displacement.predicted_sharpness,
            spent=spent,
        )

    def _displaced(
        self, objective: Objective, reading: Reading, reference: Parameters, v: Parameters, step_size: float
    ) -> tuple[Displacement, Cost]:
        point, modes = reading.point, reading.modes
        force = None
        if self.exact:
            force = objective.gradient(reference + modes.vectors @ (modes.vectors.T @ v))
        displacement = Displacement(
            reference=reference,
            v=v,
            loss=float(point.value),
            gradient=point.gradient,
            product=point.hvp(v),
            force=force,
            modes=modes,
            covariance=modes.covariance(point.gradient, step_size),
        )
        return displacement, Cost(gradients=int(self.exact), products=1)

    def predict(self, objective: Objective, point: Point, state: PredictedDynamicsState) -> Prediction:
        """Loss, gradient norm and squared displacements of the predicted iterate, sharpness of the midpoint."""
        at = state.displacement
        if at is None:
            norm = float(point.gradient.norm())
            return Prediction(loss=float(point.value), gradient_norm=norm, sharpness=state.sharpness)
        x, order = at.x, at.x.abs().argsort(descending=True)
        squared = float(at.gradient.square().sum() + (at.modes.values * x).square().sum())
        return Prediction(
            loss=at.predicted_loss,
            gradient_norm=math.sqrt(squared),
            sharpness=at.predicted_sharpness,
            variance=tuple(x[order].square().tolist()),
            directions=at.modes.vectors[:, order],
        )

    def cost(self, state: PredictedDynamicsState) -> Cost:
        """Gradients, products and third-order products so far."""
        return state.spent


def predict_dynamics(
    objective: Objective, w: Parameters, method: AnyMethod, steps: int, *, exact: bool = False, seed: int = 0
) -> Iterator[PredictedDynamicsState]:
    """The predicted dynamics from an iterate near the edge, state by state.

    A comparison with the run takes its iterates beside them: xₜ = ⟨u, wₜ − w†ₜ⟩ against `displacement.x`, the
    sharpness between wₜ and wₜ₊₁ against `predicted_sharpness`, L(wₜ) against `predicted_loss`.

    Args:
        objective: L.
        w: the iterate.
        method: `GradientDescent(lr)`.
        steps: how many steps.
        exact: whether to take the exact restoring force.
        seed: of the search for eigenvectors.

    Yields:
        The state after every step, `steps` of them.
    """
    flow = PredictedDynamics(method, exact)
    state = flow.init(objective, w, seed)
    for step in range(steps):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
        yield state


def _pull(at: Displacement) -> Parameters:
    """∇L(w† + v) − ∇L(w†) to the order of the theory, less the push that holds w† at the edge."""
    modes, x = at.modes, at.x
    within = modes.vectors @ (at.y @ x)
    pull = modes.combined(0.5 * (torch.outer(x, x) - at.covariance.to(x))) + at.product + within
    if at.force is not None:
        # H v holds the linear part of the force within U; the gradient at w† is not quite zero there.
        linear = modes.vectors @ (modes.vectors.T @ at.product)
        exact = modes.vectors @ (modes.vectors.T @ (at.force - at.gradient))
        pull = pull - linear + exact
    return pull
