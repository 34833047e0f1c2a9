"""The iteration of Newton and Schulz, and what it divides a matrix by.

It brings all singular values of a matrix near one. An odd polynomial of the singular values is a function of
M Mᵀ times M, so what has been orthogonalised has been preconditioned.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from math import prod
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import SettingError
from edgewise.linalg import Preconditioner

# a, b, c of the quintic a x + b x³ + c x⁵ with the steepest rise at zero, and the smallest norm that is divided
# by: those of Jordan's Muon and of torch.optim.Muon.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_SMALLEST_NORM = 1e-7


def newton_schulz(M: Tensor, steps: int, precision: torch.dtype | None = None) -> Tensor:
    """f(M): X = M/‖M‖, then `steps` times X ↦ a X + b (X Xᵀ) X + c (X Xᵀ)² X.

    Args:
        M: a matrix.
        steps: how many iterations.
        precision: to compute and return it in; None takes that of M.
    """
    a, b, c = _QUINTIC
    X = M.to(precision or M.dtype)
    X = X.T if M.shape[0] > M.shape[1] else X
    X = X / X.norm().clamp(min=_SMALLEST_NORM)
    for _ in range(steps):
        gram = X @ X.T
        X = torch.addmm(X, torch.addmm(gram, gram, gram, beta=b, alpha=c), X, beta=a)
    return X.T if M.shape[0] > M.shape[1] else X


Eigenbasis = tuple[Tensor, Tensor, bool]
"""Orthonormal U, what P multiplies each column of it by, and whether it acts from the right."""


@final
class MatrixPreconditioner(Preconditioner):
    """One symmetric positive matrix for each weight matrix, acting on its shorter side.

    Args:
        shapes: of all tensors behind the vectors it acts on.
        decompose: finds eigenvectors, eigenvalues and side for each; None leaves that tensor as it is. It is
            called once, when a power or a product is asked for.
        like: a vector of the size, precision and device that it acts on.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        decompose: Callable[[], Sequence[Eigenbasis | None]],
        like: Tensor,
    ) -> None:
        super().__init__(like.shape[0], like.dtype, like.device)
        self._shapes, self._decompose, self._like = tuple(shapes), decompose, like

    def power(self, exponent: float) -> "MatrixPreconditioner":
        """P^exponent: the same eigenvectors.

        Raises:
            SettingError: if a matrix that it is made of is not finite.
        """
        blocks = [block and (block[0], block[1] ** exponent, block[2]) for block in self._blocks]
        return MatrixPreconditioner(self._shapes, lambda: blocks, self._like)

    @cached_property
    def _blocks(self) -> Sequence[Eigenbasis | None]:
        return self._decompose()

    def _apply(self, v: Tensor) -> Tensor:
        pieces = []
        for piece, shape, block in zip(
            v.split([prod(shape) for shape in self._shapes]), self._shapes, self._blocks, strict=True
        ):
            if block is not None:
                U, values, right = block
                X = piece.view(shape)
                piece = (X @ U * values @ U.T if right else U @ (values[:, None] * (U.T @ X))).reshape(-1)
            pieces.append(piece)
        return torch.cat(pieces)


def eigenbasis(M: Tensor, steps: int, scale: float) -> Eigenbasis:
    """The eigenvectors of M Mᵀ (of Mᵀ M, if that is the smaller one) with the eigenvalues σ/(s f(σ)) of P.

    Args:
        M: a matrix.
        steps: how many iterations.
        scale: s, by which f(M) is multiplied.

    Raises:
        SettingError: if the norm of M is not finite.
    """
    a, b, c = _QUINTIC
    norm = M.norm().clamp(min=_SMALLEST_NORM)
    if not bool(torch.isfinite(norm)):
        raise SettingError(
            f"a momentum matrix of shape {tuple(M.shape)} whose norm is {float(norm)}",
            "the preconditioner is made of its singular values, which it does not have",
            "Look at the steps before: the gradient has overflowed. Type a smaller lr if the run diverged",
        )
    right = M.shape[0] > M.shape[1]
    U, sigma, _ = torch.linalg.svd(M.T if right else M, full_matrices=False)
    # f(σ)/σ as a product, which does not divide by a σ that is zero.
    x, slope = sigma / norm, 1 / norm
    for _ in range(steps):
        gain = a + b * x**2 + c * x**4
        x, slope = x * gain, slope * gain
    return U, 1 / (scale * slope), right
