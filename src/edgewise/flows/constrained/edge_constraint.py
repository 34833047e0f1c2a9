"""The set on which no mode is past the edge and none is displaced, and the projection onto it.

Self-stabilisation replaces gradient descent at the edge of stability by projected gradient descent onto

    M = {w : λᵢ(w) ≤ 2/η for all i, and ⟨∇L(w), uᵢ⟩ = 0 for every critical mode uᵢ}

for one critical mode as in the paper, here for any number of them. Where eigenvalues are close, their
eigenvectors turn into each other and ∇λᵢ alone says little; what moves smoothly is the matrix UᵀH(w)U in a
fixed frame U of all critical modes, so the constraint is UᵀHU ≼ (2/η) I, linearised through

    gᵢⱼ = P⊥ ∇(uᵢᵀ H uⱼ),    P⊥ = I − UUᵀ
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.curvature import Hessian, Tracker, TrackerState
from edgewise.flows.complementarity import complementarity
from edgewise.flows.cost import Cost
from edgewise.foundation import FlowError, Parameters
from edgewise.objectives import Objective, Point

# A mode within 2.5 % of the edge oscillates for tens of steps after every push, so the time average is at the
# bottom of its valley; the central flow lets modes in from the same place.
CRITICAL = 0.975
# What is left of the constraint is far below what one step of training changes.
_SATISFIED, _STILL = 1e-6, 1e-3
_PROJECTIONS = 3
_OUTSIDE = 1.05

EDGE_TRACKER = Tracker(k=1, above=0.9, rtol=1e-4)
"""Follows every mode that may become critical, accurately enough to be held at the edge."""


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CriticalModes:
    """The modes within 2.5 % of the edge at one point, and how their curvature changes away from it.

    Attributes:
        top: λ₁, whether or not it is critical.
        values: λᵢ of the critical modes, largest first.
        vectors: U, their eigenvectors as columns.
        gradients: gᵢⱼ = P⊥∇(uᵢᵀHuⱼ).
    """

    top: float
    values: Float[Tensor, "k"]
    vectors: Float[Tensor, "size k"]
    gradients: Float[Tensor, "k k size"]

    @property
    def gram(self) -> Float[Tensor, "k k k k"]:
        """⟨gᵢⱼ, gₖₗ⟩: how strongly a push along gₖₗ changes uᵢᵀHuⱼ; β for one mode."""
        return torch.einsum("ijp,klp->ijkl", self.gradients, self.gradients)

    def sharpening(self, gradient: Parameters) -> Float[Tensor, "k k"]:
        """αᵢⱼ = −⟨∇L, gᵢⱼ⟩: how fast uᵢᵀHuⱼ grows under the gradient flow."""
        return -self.gradients @ gradient

    def combined(self, weights: Float[Tensor, "k k"]) -> Parameters:
        """Σᵢⱼ weightsᵢⱼ gᵢⱼ."""
        return torch.einsum("ij,ijp->p", weights.to(self.gradients), self.gradients)

    def covariance(self, gradient: Parameters, step_size: float) -> Float[Tensor, "k k"]:
        """Σ, the oscillation that holds all of them at the edge over the coming step.

            0 ≼ Σ ⟂ (2/η − Λ)/η − α + ½ B[Σ] ≽ 0,    B[Σ]ᵢⱼ = Σₖₗ ⟨gᵢⱼ, gₖₗ⟩ Σₖₗ

        For one mode at the edge this is δ² = 2α/β.
        """
        if not len(self.values):
            return self.values.new_zeros(0, 0).double()
        room = torch.diag(2.0 / step_size - self.values.double()) / step_size
        return complementarity(room - self.sharpening(gradient).double(), 0.5 * self.gram.double()).solution


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """A point on the constrained trajectory with all that was measured there."""

    point: Point
    modes: CriticalModes
    tracker: TrackerState
    cost: Cost


def read(point: Point, critical_curvature: float, tracker: TrackerState) -> Reading:
    """Measure the critical modes at a point. Its gradient is not counted."""
    hessian = Hessian.at(point)
    pairs, tracker = EDGE_TRACKER.read(hessian, tracker, critical_curvature, (point.gradient,))
    count = int((pairs.values >= CRITICAL * critical_curvature).sum())
    U = pairs.vectors[:, :count]
    gradients = point.w.new_zeros(count, count, point.w.shape[0])
    for i in range(count):
        for j in range(i + 1):
            g = point.third(U[:, i].contiguous(), U[:, j].contiguous())
            gradients[i, j] = gradients[j, i] = g - U @ (U.T @ g)
    modes = CriticalModes(top=float(pairs.values[0]), values=pairs.values[:count], vectors=U, gradients=gradients)
    cost = Cost(products=pairs.products, thirds=count * (count + 1) // 2)
    return Reading(point=point, modes=modes, tracker=tracker, cost=cost)


def project(
    objective: Objective, w: Parameters, step_size: float, tracker: TrackerState
) -> tuple[Parameters, Reading]:
    """The point of M near `w`, and what was measured there.

    Up to three times: the smallest push within the bulk that satisfies the linearised constraint,
    −Σᵢⱼ Xᵢⱼ gᵢⱼ with

        0 ≼ X ⟂ (2/η) I − Λ + B[X] ≽ 0

    (for one mode −max(0, S − 2/η) g/‖g‖², as in the paper), and the Newton step −uᵢ⟨uᵢ, ∇L⟩/λᵢ to the bottom of
    every critical valley.

    Raises:
        FlowError: if the sharpness cannot be brought down to the edge.
    """
    critical = 2.0 / step_size
    cost = Cost()
    for projection in range(_PROJECTIONS + 1):
        _require_finite(w)
        reading = read(objective.at(w), critical, tracker)
        modes, gradient, tracker = reading.modes, reading.point.gradient, reading.tracker
        cost = cost + reading.cost + Cost(gradients=1)
        newton = modes.vectors.T @ gradient / modes.values
        still = float(newton.norm()) <= _STILL * step_size * float(gradient.norm())
        if projection == _PROJECTIONS or (still and modes.top <= critical * (1 + _SATISFIED)):
            break
        room = torch.diag(critical - modes.values.double())
        push = complementarity(room, modes.gram.double()).solution
        w = w - modes.combined(push) - modes.vectors @ newton
    if modes.top > _OUTSIDE * critical:
        raise FlowError(
            f"a sharpness of {modes.top:.4g} where 2/η is {critical:.4g}",
            "three projections did not bring it down to the edge, so there is no constrained trajectory nearby",
            f"Type a smaller lr, such as lr={1.6 / modes.top:.3g}, or change the step size more slowly",
        )
    return w, Reading(point=reading.point, modes=modes, tracker=tracker, cost=cost)


def _require_finite(w: Parameters) -> None:
    if not bool(torch.isfinite(w).all()):
        raise FlowError(
            "a constrained trajectory whose parameters are no longer finite",
            "the step that led there was too long for this objective",
            "Type a smaller lr",
        )
