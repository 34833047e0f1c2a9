"""The edge flow: a centre, a direction and the length of the oscillation along it, without an eigensolver."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.curvature import Hessian
from edgewise.flows.constrained import require_gradient_descent
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
from edgewise.foundation import Parameters
from edgewise.linalg import eigenpairs
from edgewise.methods import AnyMethod
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeFlowState:
    """What the edge flow carries beside its centre.

    Attributes:
        step: the number of steps taken.
        seed: of the search for the top eigenvector.
        u: the direction of the oscillation, of length one.
        x: its length.
        smallest: what x does not fall below.
        curvature: S = uᵀHu, measured a step ago.
        ends: loss and gradient at c ± xu.
        spent: the cost so far.
    """

    step: int
    seed: int
    u: Tensor
    x: float
    smallest: float
    curvature: float
    ends: Ends
    spent: Cost


@final
@dataclass(frozen=True, slots=True)
class EdgeFlow(Flow[EdgeFlowState]):
    """The edge flow of gradient descent: a centre c, and an oscillation of length x along a direction u.

        dc/dt = −½ [∇L(c + xu) + ∇L(c − xu)]
        du/dt ∝ (I − uuᵀ) H(c) u
        d log x/dt = log |ηS − 1| / η,    S = uᵀH(c)u

    The centre follows the gradient flow of the symmetrised loss ½[L(c + xu) + L(c − xu)], whose slope holds the
    curvature penalty ½x²∇S; u follows the Rayleigh-quotient flow to the top eigenvector; x grows or
    decays as S is above or below 2/η, by ηS − 2 a step near the edge. These are the even and the odd part of
    gradient descent, which `edgewise.flows.rods.symmetrized` derives; there is no complementarity problem,
    and x oscillates around δ as the run does, in the place of resting there.

    A step takes a gradient at each end, and one with a product at the centre. At the start, and at every 20th
    step while hardly anything oscillates, the top eigenvector is looked for, since the flow of u cannot see one
    that rises orthogonally to it. The oscillation is along one direction: a second critical mode is left in the
    centre, which then oscillates in it as gradient descent does. Along u the centre takes 1 − e^{−ηS} in the
    place of ηS, and else plain steps of η.

    Args:
        method: `GradientDescent(lr)`.
        displacement: the length of the oscillation at the start, and the least that it decays to, as a share of
            ‖w‖ there. A run decays to its own rounding errors, about 1e-7 of ‖w‖ in single precision; the
            length at the edge depends on this by the root of a logarithm only.

    Raises:
        SettingError: for any other method, or a displacement outside (0, 1).

    References:
        damian2022selfstabilization
    """

    method: AnyMethod
    displacement: float = 1e-5

    def __post_init__(self) -> None:
        require_gradient_descent("EdgeFlow", self.method)
        require_displacement(self.displacement)

    @property
    def described(self) -> AnyMethod:
        """The gradient descent that oscillates around the centre."""
        return self.method

    def init(self, objective: Objective, w: Parameters, seed: int) -> EdgeFlowState:
        """Centre at `w`, a small oscillation along the top eigenvector."""
        pairs = eigenpairs(Hessian(objective, w), k=1, rtol=1e-2, seed=seed)
        u, x = pairs.vectors[:, 0].contiguous(), self.displacement * lengthened(w)
        return EdgeFlowState(
            step=0,
            seed=seed,
            u=u,
            x=x,
            smallest=x,
            curvature=float(pairs.values[0]),
            ends=look_at_ends(objective, w, x * u),
            spent=Cost(gradients=3, products=pairs.products),
        )

    def advance(
        self, objective: Objective, point: Point, state: EdgeFlowState, step_size: float
    ) -> tuple[Parameters, EdgeFlowState]:
        """Centre, direction and length after the time of one step.

        Raises:
            FlowError: if the oscillation grew until the loss overflowed.
        """
        u, gradient, spent = state.u, state.ends.mean, state.spent + Cost(gradients=3, products=1)
        if state.step and search_is_due(state.step, state.x, state.smallest):
            pairs = eigenpairs(Hessian.at(point), k=1, rtol=1e-2, seed=state.seed, start=u[:, None])
            u, spent = pairs.vectors[:, 0].contiguous(), spent + Cost(products=pairs.products)
        product = point.hvp(u)
        curvature = torch.dot(u, product)
        S = float(curvature)
        centre = point.w.add(gradient, alpha=-step_size)
        if S > 0:
            along = float(torch.dot(u, gradient))
            centre = centre.add(u, alpha=along * (step_size - relaxation(step_size * S) / S))
        u = turned(u, product, curvature, torch.linalg.vector_norm(product))
        u = u / torch.linalg.vector_norm(u)
        x = max(state.smallest, state.x * abs(step_size * S - 1.0))
        return centre, EdgeFlowState(
            step=state.step + 1,
            seed=state.seed,
            u=u,
            x=x,
            smallest=state.smallest,
            curvature=S,
            ends=look_at_ends(objective, centre, x * u),
            spent=spent,
        )

    def predict(self, objective: Objective, point: Point, state: EdgeFlowState) -> Prediction:
        """Means over the two ends, x², and the curvature that was met a step ago."""
        return Prediction(
            loss=state.ends.loss,
            gradient_norm=state.ends.gradient_norm,
            sharpness=state.curvature,
            variance=(state.x**2,),
            directions=state.u[:, None],
        )

    def cost(self, state: EdgeFlowState) -> Cost:
        """Gradients and products so far."""
        return state.spent
