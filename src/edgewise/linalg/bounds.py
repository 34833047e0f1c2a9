"""How far a Ritz value can be from an eigenvalue.

Let U hold the c largest Ritz vectors of a subspace, Θ their Ritz values, R = A U − U Θ their residuals,
and let b be the largest eigenvalue of A on the orthogonal complement of U. Then Cauchy interlacing gives
θᵢ ≤ λᵢ, and

    λᵢ − θᵢ ≤ δ,    δ (δ + η) = ‖R‖²,    η = θᵢ − b > 0,

that is δ = 2‖R‖² / (η + √(η² + 4‖R‖²)), which is below both ‖R‖ and the Kato–Temple bound ‖R‖²/η.
Proof: for μ = θᵢ + δ > b, Sylvester's law counts the eigenvalues of A above μ as the positive ones of
Θ − μ + Rᵀ(μ − B)⁻¹R, with B the restriction of A to the complement. The last term is at most
‖R‖²/(μ − b) = δ, and Θ − μ + δ = Θ − θᵢ has at most i − 1 positive eigenvalues. The same δ appears,
for two-sided gaps, in li2005note.

What is not known is b. It is taken to be the largest θⱼ + rⱼ among the Ritz pairs outside the cluster, most
often the next one's: each has an eigenvalue of the complement within its reach, and the largest eigenvalue
there is *assumed* to lie below the highest reach. This is the one heuristic step. It fails when the
subspace has missed a direction altogether, which is what the solvers' probes are for.

Near-degenerate pairs need the cluster: with r₁²/(θ₁ − θ₂) the gap measured inside a cluster is as small as
it likes. So every leading cluster that contains the pair is tried (c ≥ i), ‖R‖² is bounded by the sum of
the cluster's rⱼ², and the smallest bound is kept. Where no gap is known, what remains is rᵢ itself: some
eigenvalue, not necessarily the i-th, lies within it, with no assumption at all (parlett1998symmetric, 4.5).

References:
    parlett1998symmetric, li2005note
"""

import torch

from edgewise.foundation import Vector

_ROUNDING = 16
"""Rounding errors of a Ritz value, in units of epsilon × the largest Ritz value in magnitude."""


def error_bounds(ritz_values: Vector, residual_norms: Vector, wanted: int) -> Vector:
    """Bounds of the errors of the `wanted` largest Ritz values, in exact arithmetic.

    Args:
        ritz_values: θ, all Ritz values of one subspace, descending.
        residual_norms: r, the norms of their residuals.
        wanted: how many of the largest to bound.

    Returns:
        min(rᵢ, δᵢ) for each wanted pair, δᵢ as above. Add `rounding` for the arithmetic.

    Example:
        >>> theta, r = torch.tensor([10.0, 2.0]), torch.tensor([0.8, 0.0])
        >>> error_bounds(theta, r, wanted=1)  # r²/gap = 0.64/8
        tensor([0.0792])
    """
    bounds = residual_norms[:wanted].clone()
    squares = residual_norms.square().cumsum(0)
    reaches = (ritz_values + residual_norms).flip(0).cummax(0).values.flip(0)
    for c in range(1, ritz_values.shape[0]):
        gaps = (ritz_values[: min(c, wanted)] - reaches[c]).clamp(min=0.0)
        square = squares[c - 1]
        roots = gaps + torch.sqrt(gaps.square() + 4 * square)
        # All residuals and gaps zero: the pair is exact, and so is its bound.
        delta = torch.where(roots > 0, 2 * square / roots, 0.0)
        bounds[:c] = torch.minimum(bounds[:c], delta)
    return bounds


def rounding(ritz_values: Vector, dtype: torch.dtype) -> float:
    """What the arithmetic adds to every bound: 16 ε max |θ|, with the ε of the operator's products."""
    return _ROUNDING * torch.finfo(dtype).eps * float(ritz_values.abs().max())
