"""How far a Ritz value can be from an eigenvalue.

Let U hold the c largest Ritz vectors of a subspace, θ₁ ≥ … ≥ θ_c their values, R = A U − U diag(θ) their
residuals, and let a ≥ λ_{c+1} bound the rest of the spectrum of A from above. Then θᵢ ≤ λᵢ (Cauchy), and

    λᵢ − θᵢ ≤ ‖R‖² / η,    η = θ_c − a > 0,

which for c = 1 is the bound of Kato and Temple. Proof: write A in blocks, Θ = UᵀAU, B on the complement of U
with largest eigenvalue b, R between them, and let δ be the positive root of δ (δ + θ_c − b) = ‖R‖². For
μ = θᵢ + δ, Sylvester's law counts the eigenvalues of A above μ as the positive ones of
Θ − μ + Rᵀ(μ − B)⁻¹R ≤ Θ − μ + ‖R‖²/(μ − b) ≤ Θ − θᵢ, of which there are at most i − 1; so λᵢ ≤ θᵢ + δ. The
same count from below gives b ≤ λ_{c+1} + δ ≤ a + δ, and with it δ η ≤ ‖R‖². (Compare li2005note.)

What is not known is a. It is taken to be the largest θⱼ + rⱼ among the Ritz pairs outside the cluster, most
often the next one's: each has an eigenvalue within its reach, and the rest of the spectrum is *assumed* to
lie below the highest reach. This is the one heuristic step. It fails when the subspace has missed a
direction altogether, which is what the solvers' guards are for.

Near-degenerate pairs need the cluster: with r₁²/(θ₁ − θ₂) the gap measured inside a cluster is as small as
it likes. So every leading cluster of wanted pairs that contains the pair is tried (c ≥ i), ‖R‖² is bounded by
the sum of the cluster's rⱼ², and the smallest bound is kept. Clusters end with the wanted pairs, because Ritz
values further down stand for many unresolved eigenvalues each. Where no gap is known, the assumption leaves
λᵢ ≤ max θⱼ + rⱼ over j ≥ i: most often the bound is then rᵢ, and more where a pair of lower rank may yet
turn out to be the larger one.

With no assumption at all, and whatever its rank, some eigenvalue lies within rᵢ of θᵢ
(parlett1998symmetric, 4.5): that is what a residual says.

References:
    parlett1998symmetric, li2005note
"""

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.foundation import Vector

_ROUNDING = 16
"""Rounding errors of a Ritz value, in units of epsilon × the largest Ritz value in magnitude."""


def error_bounds(
    ritz_values: Float[Tensor, "closed"],
    residual_norms: Float[Tensor, "closed"],
    wanted: int,
    reach: float | None = None,
) -> Float[Tensor, "k"]:
    """Bounds of the errors of the `wanted` largest Ritz values, in exact arithmetic.

    Args:
        ritz_values: θ, all Ritz values of one subspace, descending.
        residual_norms: r, the norms of their residuals.
        wanted: how many of the largest to bound.
        reach: what the largest eigenvalue outside the subspace is known to lie below, from an earlier answer.

    Returns:
        How far each wanted θᵢ may lie below the eigenvalue of the same rank. Add `rounding` for the
        arithmetic.

    Example:
        >>> theta, r = torch.tensor([10.0, 2.0]), torch.tensor([0.8, 0.0])
        >>> error_bounds(theta, r, wanted=1)  # 0.64/8
        tensor([0.0800])
    """
    if reach is not None:
        # It stands for one more pair, without a residual, after all that were computed.
        ritz_values = torch.cat([ritz_values, ritz_values.new_tensor([reach])])
        residual_norms = torch.cat([residual_norms, residual_norms.new_zeros(1)])
    squares = residual_norms.square().cumsum(0)
    reaches = (ritz_values + residual_norms).flip(0).cummax(0).values.flip(0)
    bounds = (reaches - ritz_values)[:wanted]
    for c in range(1, min(wanted + 1, ritz_values.shape[0])):
        gap = ritz_values[c - 1] - reaches[c]
        if gap > 0:
            bounds[:c] = bounds[:c].clamp(max=float(squares[c - 1] / gap))
    return bounds


def rounding(ritz_values: Vector, dtype: torch.dtype) -> float:
    """What the arithmetic adds to every bound: 16 ε max |θ|, with the ε of the operator's products."""
    return _ROUNDING * torch.finfo(dtype).eps * float(ritz_values.abs().max())
