"""The edge of stability over a short time, linearised: how far critical modes are from it, and what moves them.

A displacement changes the curvature of a mode by the third derivative of the loss; the metric of an adaptive
method grows with the oscillation. Both are linear in the covariance of the oscillation, so that the condition not
to cross the edge becomes a linear complementarity problem between positive semidefinite matrices.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.flows.central.second_moment import SecondMoment
from edgewise.flows.central.stiff_modes import StiffModes
from edgewise.flows.complementarity import Complementarity, complementarity
from edgewise.foundation import Block, Parameters
from edgewise.objectives import Point

# A mode found above the edge comes back by this much of μ in a step, or by half of its excess if that is more:
# where the edge itself jumps (a schedule, a start above it) a linearisation would ask for a step far too long.
_RETURN = 0.1


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edge:
    """The edge of stability of k critical modes during a time t.

    With U the critical directions (Uᵀ P U = I, Uᵀ H U = diag μ), the covariance Σ = U X Uᵀ and the slopes
    aᵢⱼ = ∇(uᵢᵀ H uⱼ), the oscillation adds ½ D³L:Σ = ½ Σᵢⱼ Xᵢⱼ aᵢⱼ to the gradient and displaces the flow by
    −½ Σᵢⱼ Xᵢⱼ Φ₁ aᵢⱼ. A displacement δ adds ⟨aᵢⱼ, δ⟩ to Uᵀ H U. Of the second moment the share r is renewed,
    which adds r ⟨∂P/∂ν · s(uᵢ, uⱼ), s(∇L, ∇L) + 4 Σₖₗ Xₖₗ s(P uₖ, P uₗ) − ν⟩ to Uᵀ P U. At the end of the time

        Uᵀ (2P − H) U = A + B[X]
        Aᵢⱼ = (2 − μᵢ) δᵢⱼ − ⟨aᵢⱼ, δ₀⟩ + 2r ⟨∂P/∂ν · s(uᵢ, uⱼ), s(∇L, ∇L) − ν⟩
        Bᵢⱼₖₗ = ½ ⟨aᵢⱼ, Φ₁ aₖₗ⟩ + 8r ⟨P² ∂P/∂ν · s(uᵢ, uⱼ), s(uₖ, uₗ)⟩

    where δ₀ is the displacement without the oscillation. Both parts of B are Gram matrices, so it is positive
    semidefinite. Since A holds the present distance, and not its rate alone, what one time leaves of a crossing
    the next takes back.

    Attributes:
        slopes: aᵢⱼ for i ≤ j as rows, in the order of `torch.triu_indices`.
        relaxed: Φ₁ aᵢⱼ, likewise.
        moments: 4 s(P uᵢ, P uⱼ), likewise.
        distance: A for δ₀ = 0.
        response: B.
        nu: ν at the beginning.
        share: r, the share of ν that is renewed.

    References:
        cohen2025understanding
    """

    slopes: Float[Tensor, "pairs params"]
    relaxed: Float[Tensor, "pairs params"]
    moments: Float[Tensor, "pairs moments"]
    distance: Float[Tensor, "k k"]
    response: Float[Tensor, "k k k k"]
    nu: Float[Tensor, "moments"]
    share: float

    @classmethod
    def at(
        cls,
        gradient: Parameters,
        stiff: StiffModes,
        slopes: Float[Tensor, "pairs params"],
        k: int,
        moment: SecondMoment,
        nu: Float[Tensor, "moments"],
        eta: float,
        time: float,
    ) -> "Edge":
        """The edge of the first k of the stiff modes.

        Args:
            gradient: ∇L.
            stiff: the followed modes, of which the first k are critical.
            slopes: what `slopes_of` gives of these.
            k: how many; none is a case like any other.
            moment: what the method averages.
            nu: ν.
            eta: η.
            time: t, in steps.
        """
        pairs = torch.triu_indices(k, k).T.tolist()
        U = list(stiff.directions.T[:k])
        relaxed = torch.stack([stiff.relax(slope, time) for slope in slopes]) if k else slopes
        products = (
            torch.stack([moment.product(U[i], U[j]) for i, j in pairs]) if k else nu.new_empty(0, nu.shape[0])
        )

        share, stiffening = moment.renewed(time), moment.slope(nu, eta)
        source = moment.product(gradient, gradient) - nu
        growth = (products.double() @ (share * stiffening * source).double()).cpu()
        distances = 2 - stiff.curvatures[:k]
        distances = torch.maximum(distances, time * (distances / 2).clamp_max(-_RETURN))
        squares = 4 * stiff.metric**2 * products
        response = gram(slopes, relaxed, k) / 2 + 2 * gram(products, share * stiffening * squares, k)
        return cls(
            slopes=slopes,
            relaxed=relaxed,
            moments=squares,
            distance=torch.diag(distances) + 2 * symmetric(growth, k),
            response=response,
            nu=nu,
            share=share,
        )

    def hold(self, displacement: Parameters) -> Complementarity:
        """The oscillation X that keeps the modes from crossing, beside this displacement δ₀."""
        moved = (self.slopes.double() @ displacement.double()).cpu()
        return complementarity(self.distance - symmetric(moved, len(self.distance)), self.response)

    def force(self, oscillation: Complementarity) -> Parameters:
        """½ D³L:Σ, what the oscillation adds to the gradient."""
        return weighed(oscillation.solution, self.slopes) / 2

    def push(self, oscillation: Complementarity) -> Parameters:
        """−½ Φ₁ D³L:Σ, the displacement that the oscillation adds."""
        return weighed(oscillation.solution, self.relaxed) / -2

    def renewed(self, source: Float[Tensor, "moments"], oscillation: Complementarity) -> Float[Tensor, "moments"]:
        """ν at the end, beside a gradient whose second moment is `source`."""
        return self.nu + self.share * (source + weighed(oscillation.solution, self.moments) - self.nu)


def slopes_of(directions: Block, point: Point) -> Float[Tensor, "pairs params"]:
    """aᵢⱼ = ∇(uᵢᵀ H uⱼ) for i ≤ j as rows: k(k + 1)/2 third-order products."""
    U, k = directions.T, directions.shape[1]
    rows = [point.third(U[i], U[j]) for i, j in torch.triu_indices(k, k).T.tolist()]
    return torch.stack(rows) if rows else U.new_empty(0, U.shape[1])


def weighed(covariance: Float[Tensor, "k k"], rows: Float[Tensor, "pairs size"]) -> Float[Tensor, "size"]:
    """Σᵢⱼ Xᵢⱼ rᵢⱼ from the rows with i ≤ j: those off the diagonal stand for two."""
    i, j = torch.triu_indices(len(covariance), len(covariance))
    return ((1.0 + (i != j)) * covariance[i, j]).to(rows) @ rows


def symmetric(entries: Float[Tensor, "pairs *rest"], k: int) -> Float[Tensor, "k k *rest"]:
    """The symmetric matrix whose upper triangle, row by row, holds these entries."""
    i, j = torch.triu_indices(k, k)
    matrix = entries.new_zeros(k, k, *entries.shape[1:])
    matrix[i, j] = matrix[j, i] = entries
    return matrix


def gram(
    rows: Float[Tensor, "pairs size"], others: Float[Tensor, "pairs size"], k: int
) -> Float[Tensor, "k k k k"]:
    """⟨rᵢⱼ, oₖₗ⟩ of two families of rows with i ≤ j, in float64 on the CPU."""
    products = (rows.double() @ others.double().T).cpu()
    half = symmetric((products + products.T) / 2, k)
    return symmetric(half.permute(2, 0, 1), k)
