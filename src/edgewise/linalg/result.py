"""Answers with their uncertainty and their cost: no bare number leaves this room.

Eigenpairs carry residuals, error bounds, products and a status with a sentence; random estimates carry
their standard error.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import final

import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from edgewise.foundation import Vector


@final
class Status(StrEnum):
    """Why a solver stopped."""

    CONVERGED = "converged"
    COMPLETE = "complete"
    ROUNDING = "rounding"
    BUDGET = "budget"

    @property
    def sentence(self) -> str:
        """What happened, and what to do about it."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.CONVERGED: "Every error bound is within the tolerance.",
    Status.COMPLETE: "The basis spans the whole space: the spectrum is exact to rounding.",
    Status.ROUNDING: (
        "The error bounds are as small as the arithmetic allows, and above the tolerance. "
        "Use float64, or type a larger rtol."
    ),
    Status.BUDGET: (
        "The products ran out before every error bound was within the tolerance. "
        "Allow more products, or type a larger rtol."
    ),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Eigenpairs:
    """The largest algebraic eigenvalues of a symmetric operator A, with vectors, doubt and cost.

    Everything has the dtype and the device of the operator.

    Attributes:
        values: Ritz values ρ, descending. ρ never exceeds the eigenvalue of the same rank, up to rounding.
        vectors: orthonormal Ritz vectors u, as columns.
        residuals: ‖A u − ρ u‖. Some eigenvalue lies within it, always.
        bounds: error bounds of the values, rounding included; see `edgewise.linalg.error_bounds`.
        converged: whether each bound is within rtol × the largest wanted |ρ|.
        products: operator products that the answer cost.
        status: why the solver stopped; `status.sentence` says it in words.
    """

    values: Float[Tensor, "k"]
    vectors: Float[Tensor, "size k"]
    residuals: Float[Tensor, "k"]
    bounds: Float[Tensor, "k"]
    converged: Bool[Tensor, "k"]
    products: int
    status: Status

    def __post_init__(self) -> None:
        # A stored status comes back as its word.
        object.__setattr__(self, "status", Status(self.status))

    def with_vectors(self, vectors: Float[Tensor, "size k"]) -> "Eigenpairs":
        """The same pairs with other signs of their vectors."""
        return replace(self, vectors=vectors)

    def __str__(self) -> str:
        rows = zip(self.values.tolist(), self.bounds.tolist(), self.converged.tolist(), strict=True)
        pairs = ", ".join(_plus_minus(value, bound) + ("" if ok else " (!)") for value, bound, ok in rows)
        return f"{pairs} after {self.products} products. {self.status.sentence}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A random estimate with its standard error; prints as `12.3 ± 0.4`.

    Attributes:
        value: the estimate, a number or a vector of them.
        standard_error: the estimated standard deviation of `value`, of the same shape.
        products: operator products that it cost.
        samples: how many random vectors it rests on.
    """

    value: float | Vector
    standard_error: float | Vector
    products: int
    samples: int

    def __str__(self) -> str:
        if isinstance(self.value, Tensor) or isinstance(self.standard_error, Tensor):
            error = float(torch.as_tensor(self.standard_error).square().mean().sqrt())
            size = torch.as_tensor(self.value).numel()
            return f"{size} numbers, each ± {error:.2g} (root mean square)"
        return _plus_minus(self.value, self.standard_error)


def align(vectors: Float[Tensor, "size k"], reference: Float[Tensor, "size block"]) -> Float[Tensor, "size k"]:
    """`vectors` with their signs changed to agree with `reference`, so that a mode keeps its sign.

    Columns are paired so that the sum of |overlaps| is largest, not by rank: when two close eigenvalues
    swap, each vector keeps the sign of its own past. Only signs change, so the columns stay eigenvectors;
    those without a partner get their entry of largest magnitude positive.

    Args:
        vectors: unit columns.
        reference: the columns to agree with, of the same size; their number may differ.
    """
    largest = vectors.abs().argmax(dim=0, keepdim=True)
    leading = vectors.gather(0, largest).squeeze(0)
    overlaps = reference.T @ vectors
    rows, columns = linear_sum_assignment(-overlaps.abs().cpu().numpy())
    leading[columns] = overlaps[rows, columns]
    return vectors * torch.where(leading < 0, -1.0, 1.0).to(vectors)


def _plus_minus(value: float, error: float) -> str:
    """Both with as many decimals as two digits of the error need."""
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{value} ± {error}"
    magnitude = max(abs(value), error)
    if error <= 1e-12 * magnitude or magnitude >= 1e7 or magnitude < 1e-4:
        return f"{value:.6g} ± {error:.1g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    rounded = f"{error:.{decimals}f}"
    # 0.40 says no more than 0.4.
    if decimals and rounded.endswith("0"):
        decimals -= 1
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"
