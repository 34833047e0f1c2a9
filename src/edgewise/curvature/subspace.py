"""The dominant subspace: what of a vector lies in the span of the top eigenvectors, and what in the bulk."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from edgewise.foundation import Parameters, SettingError


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class DominantSplit:
    """A gradient or a step in two orthogonal parts.

    Attributes:
        dominant: P_k d, the part in the span of the top k eigenvectors.
        bulk: d − P_k d, the rest.
        fraction: χ_k(d) = ‖P_k d‖ / ‖d‖, between 0 and 1.
    """

    dominant: Tensor
    bulk: Tensor
    fraction: float


def dominant_split(d: Parameters, vectors: Float[Tensor, "params k"]) -> DominantSplit:
    """A vector split by the dominant subspace.

        d = P_k d + (I − P_k) d,     P_k = U Uᵀ

    Args:
        d: a gradient, or a step.
        vectors: U, the top k eigenvectors as orthonormal columns, such as `Eigenpairs.vectors`.

    Raises:
        SettingError: if the columns are not orthonormal, or d is zero or not finite.

    Example:
        >>> split = dominant_split(torch.tensor([3.0, 4.0]), torch.tensor([[1.0], [0.0]]))
        >>> split.dominant, split.bulk, round(split.fraction, 6)
        (tensor([3., 0.]), tensor([0., 4.]), 0.6)

    References:
        song2024does, gurari2018gradient
    """
    k = vectors.shape[1]
    defect = float((vectors.T @ vectors - torch.eye(k).to(vectors)).abs().max())
    # Rounding leaves about ε; vectors that are good to half the digits still make a projection.
    if not defect <= torch.finfo(vectors.dtype).eps ** 0.5:
        raise SettingError(
            f"{k} columns whose inner products are off by {defect:.2g}",
            "U Uᵀ projects only if they are orthonormal",
            "Give Eigenpairs.vectors, or type torch.linalg.qr(vectors).Q",
        )
    length = torch.linalg.vector_norm(d)
    if not (torch.isfinite(length) and length > 0):
        raise SettingError(
            f"a vector of length {float(length)}",
            "no share of it lies anywhere",
            "Give a vector that is finite and not zero; at a minimum the gradient is none",
        )
    dominant = vectors @ (vectors.T @ d)
    fraction = float(torch.linalg.vector_norm(dominant) / length)
    return DominantSplit(dominant, d - dominant, min(fraction, 1.0))


def dominant_fraction(d: Parameters, vectors: Float[Tensor, "params k"]) -> float:
    """χ_k(d) = ‖P_k d‖ / ‖d‖, the share of a vector's length in the dominant subspace.

    Args:
        d: as of `dominant_split`.
        vectors: likewise.

    Raises:
        SettingError: likewise.
    """
    return dominant_split(d, vectors).fraction
