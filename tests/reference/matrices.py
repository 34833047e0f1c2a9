"""Symmetric matrices of which every eigenvalue is known, because they are built from them."""

import torch
from torch import Tensor

from edgewise.linalg import Function


def with_spectrum(eigenvalues: Tensor, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Q diag(λ) Qᵀ with a random orthogonal Q, symmetric to the last bit."""
    size = eigenvalues.shape[0]
    normal = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    Q = torch.linalg.qr(normal)[0]
    A = (Q * eigenvalues.double()) @ Q.T
    return ((A + A.T) / 2).to(dtype)


def as_operator(A: Tensor) -> Function:
    """A dense matrix behind a matvec."""
    return Function(lambda v: A @ v, A.shape[0], A.dtype)


def eigenvalues(A: Tensor) -> Tensor:
    """All eigenvalues, descending, in float64."""
    return torch.linalg.eigvalsh(A.double()).flip(0)


def spectrum(*outliers: float, bulk: int = 150, low: float = -1.0, high: float = 1.0) -> Tensor:
    """Outliers over (or under) an evenly spread bulk."""
    return torch.cat([torch.tensor(outliers).double(), torch.linspace(low, high, bulk).double()])


SPECTRA: dict[str, Tensor] = {
    "separated": spectrum(100, 62, 40),
    "crowded": spectrum(100, 99, 98),
    "very crowded": spectrum(100, 99.999, 99.998, 99.9),
    "pair": spectrum(100, 100, 98),
    "triple": spectrum(100, 100, 100),
    "pair below": spectrum(100, 99, 99, 98),
    "pair to within rounding": spectrum(100, 100 - 1e-12, 50),
    "indefinite": spectrum(5, 4, 3, -1000),
    "negative": spectrum(high=-0.5, low=-20),
    "rank three": spectrum(3, 2, 1, low=0, high=0),
    "bulk": spectrum(),
    "decaying": 0.8 ** torch.arange(100).double(),
    "all equal": torch.full((60,), 2.5).double(),
    "zero": torch.zeros(60).double(),
    "one": torch.tensor([-3.0]).double(),
    "two": torch.tensor([3.0, -5.0]).double(),
    "two equal": torch.tensor([3.0, 3.0]).double(),
}
"""What an eigensolver has to survive, by name."""


def drifting(
    outliers: Tensor, size: int, drift: float, steps: int, dtype: torch.dtype = torch.float64, seed: int = 0
) -> list[Function]:
    """Operators with fixed eigenvalues whose leading eigenvectors walk at random, as in a training run.

    A = P diag(b) P + U diag(λ) Uᵀ, with P the projection off the eigenvectors U, which turn by `drift` a
    step, and a bulk b in [0, 1).
    """
    draw = torch.Generator().manual_seed(seed)
    bulk = torch.rand(size, generator=draw, dtype=torch.float64).to(dtype)
    values = outliers.to(dtype)
    U = torch.zeros(size, outliers.shape[0], dtype=torch.float64)

    def operator(U: Tensor) -> Function:
        def product(v: Tensor) -> Tensor:
            inside = U.T @ v
            outside = bulk * (v - U @ inside)
            return outside - U @ (U.T @ outside) + U @ (values * inside)

        return Function(product, size, dtype)

    operators = []
    for step in range(steps):
        noise = torch.randn(U.shape, generator=draw, dtype=torch.float64) / size**0.5
        U = torch.linalg.qr(U + (drift if step else 1.0) * noise)[0]
        operators.append(operator(U.to(dtype)))
    return operators
