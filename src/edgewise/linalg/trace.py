"""Trace and diagonal from a few products: the exchangeable estimators XTrace and XDiag.

A sketch of m random vectors Ω gives Q, an orthonormal basis of the range of A Ω. The part of A inside Q is
taken exactly, the rest by random vectors, and every ωᵢ serves both purposes: for the i-th estimate the
basis is the one built without ωᵢ,

    Pᵢ = Q (I − sᵢ sᵢᵀ) Qᵀ,    sᵢ ⟂ Qᵀ A ωⱼ for all j ≠ i,

and their mean is the answer. Half of the products go to A Ω, half to A Q. A matrix of rank below m is done
exactly; one with decaying eigenvalues at far less cost than by averaging vᵀ A v (epperly2024xtrace).

The m estimates are not independent: two vectors meet in two of them, once in either role. Where such pairs
dominate the error, the mean has twice the variance that m independent estimates would have; where they do
not, less. The standard error is therefore √(2/m) times the sample deviation: honest in the worst case,
up to √2 too cautious in the best. (The paper reports it without the 2.)

References:
    epperly2024xtrace
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import SettingError, generator
from edgewise.linalg.operator import Operator
from edgewise.linalg.result import Estimate


def trace(operator: Operator, products: int = 40, seed: int = 0) -> Estimate:
    """The trace of A by XTrace:

        tᵢ = tr(Pᵢ A) + (n − rank Pᵢ) / ‖μᵢ‖² · μᵢᵀ A μᵢ,    μᵢ = (I − Pᵢ) ωᵢ,    tr A ≈ mean tᵢ.

    Args:
        operator: A.
        products: how many to spend, at least four. With as many as the size, the trace is summed up
            exactly, entry by entry.
        seed: of the random vectors.

    Raises:
        SettingError: if `products` is below four.
    """
    if products >= operator.size:
        entries = _exact_diagonal(operator)
        return Estimate(
            value=float(entries.sum()), standard_error=0.0, products=operator.size, samples=operator.size
        )
    sketch = _sketch(operator, products, generator(seed, "trace"), signs=False)
    omega, Q, Z, S = sketch.omega, sketch.Q, sketch.Z, sketch.S
    W = Q.T @ omega
    H = Q.T @ Z
    C = W - S * (S * W).sum(0)  # Pᵢ ωᵢ = Q cᵢ
    inside = H.trace() - (S * (H @ S)).sum(0)
    outside = (omega * sketch.Y).sum(0) - 2 * (C * (Z.T @ omega)).sum(0) + (C * (H @ C)).sum(0)
    rank = Q.shape[1] - S.square().sum(0)
    estimates = inside + (operator.size - rank) / (omega.square().sum(0) - C.square().sum(0)) * outside
    m = estimates.shape[0]
    return Estimate(
        value=float(estimates.mean()),
        standard_error=math.sqrt(2 / m) * float(estimates.std()),
        products=sketch.products,
        samples=m,
    )


def diagonal(operator: Operator, products: int = 40, seed: int = 0) -> Estimate:
    """The diagonal of A by XDiag:

        dᵢ = diag(Pᵢ A) + ωᵢ ⊙ (I − Pᵢ) A ωᵢ,    diag A ≈ mean dᵢ,    with random signs ωᵢ.

    Args:
        operator: A.
        products: how many to spend, at least four. With as many as the size, each entry is exact.
        seed: of the random vectors.

    Raises:
        SettingError: if `products` is below four.
    """
    if products >= operator.size:
        entries = _exact_diagonal(operator)
        return Estimate(
            value=entries,
            standard_error=torch.zeros_like(entries),
            products=operator.size,
            samples=operator.size,
        )
    sketch = _sketch(operator, products, generator(seed, "diagonal"), signs=True)
    omega, Q, Z, S = sketch.omega, sketch.Q, sketch.Z, sketch.S
    QS = Q @ S
    left_over = sketch.Y - Q @ (Q.T @ sketch.Y) + QS * (QS * sketch.Y).sum(0)
    estimates = (Q * Z).sum(1, keepdim=True) - QS * (Z @ S) + omega * left_over
    m = estimates.shape[1]
    return Estimate(
        value=estimates.mean(1),
        standard_error=math.sqrt(2 / m) * estimates.std(1),
        products=sketch.products,
        samples=m,
    )


@final
@dataclass(frozen=True, slots=True)
class _Sketch:
    """Ω, Y = A Ω, an orthonormal basis Q of Y's range, Z = A Q, and the columns sᵢ of S."""

    omega: Tensor
    Y: Tensor
    Q: Tensor
    Z: Tensor
    S: Tensor

    @property
    def products(self) -> int:
        return self.Y.shape[1] + self.Z.shape[1]


def _sketch(operator: Operator, products: int, draw: torch.Generator, *, signs: bool) -> _Sketch:
    if products < 4:
        raise SettingError(
            f"products={products}",
            "a standard error takes two random vectors, and each takes two products",
            "Type products=4 or more",
        )
    shape = (products // 2, operator.size)
    omega = torch.randn(shape, generator=draw, dtype=operator.dtype, device=draw.device).to(operator.device).T
    omega = omega.sign() if signs else omega
    Y = operator.matmat(omega)
    U, sigma, V = torch.linalg.svd(Y, full_matrices=False)
    rank = int((sigma > 10 * torch.finfo(Y.dtype).eps * math.sqrt(shape[0]) * sigma[0]).sum())
    Q = U[:, :rank]
    if rank == shape[0]:
        # sᵢ ⟂ Qᵀ yⱼ for j ≠ i: the columns of the inverse of (Qᵀ Y)ᵀ = V Σ.
        S = V / sigma[:, None]
        S = S / S.norm(dim=0)
    else:
        # The range is found without ωᵢ just as well: nothing is taken out.
        S = Y.new_zeros(rank, shape[0])
    return _Sketch(omega, Y, Q, operator.matmat(Q), S)


def _exact_diagonal(operator: Operator) -> Tensor:
    entries = torch.empty(operator.size, dtype=operator.dtype, device=operator.device)
    for i in range(operator.size):
        unit = torch.zeros_like(entries)
        unit[i] = 1
        entries[i] = operator.matvec(unit)[i]
    return entries
