"""What a method divides the gradient by: a positive definite operator with powers.

A method whose step is w' = w − η P⁻¹ m sees the curvature through P: the matrix that decides on its stability is
P^(-1/2) H P^(-1/2), so besides P itself its powers are needed.

    Preconditioner
    ├── Identity           the gradient as it is
    └── PositiveDiagonal   one positive number for each parameter
"""

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import SettingError, Vector
from edgewise.linalg.operator import Diagonal, Operator


class Preconditioner(Operator):
    """A symmetric positive definite operator P."""

    @abstractmethod
    def power(self, exponent: float) -> Operator:
        """P^exponent: −1 divides a gradient by P, −½ conjugates a Hessian."""


@final
class Identity(Preconditioner):
    """The identity: no preconditioning.

    Example:
        >>> Identity(2, torch.float32).power(-0.5) @ torch.ones(2)
        tensor([1., 1.])
    """

    def power(self, exponent: float) -> "Identity":
        """Itself."""
        return self

    def _apply(self, v: Tensor) -> Tensor:
        return v.clone()

    def _apply_block(self, V: Tensor) -> Tensor:
        return V.clone()


@final
class PositiveDiagonal(Preconditioner):
    """diag(d) with all entries positive.

    Args:
        entries: d.

    Raises:
        SettingError: if an entry is not positive and finite.

    Example:
        >>> PositiveDiagonal(torch.tensor([4.0, 1.0])).power(-0.5) @ torch.ones(2)
        tensor([0.5000, 1.0000])
    """

    def __init__(self, entries: Vector) -> None:
        refused = ~((entries > 0) & torch.isfinite(entries))
        if bool(refused.any()):
            raise SettingError(
                f"a preconditioner with {int(refused.sum())} entries that are not positive and finite "
                f"(the smallest is {float(entries.min()):.3g})",
                "P^(-1/2) exists for positive entries only",
                "Add the method's ε, as in preconditioner + 1e-8, or measure after a few steps",
            )
        super().__init__(entries.shape[0], entries.dtype, entries.device)
        self.entries = entries

    def power(self, exponent: float) -> Diagonal:
        """diag(d^exponent)."""
        return Diagonal(self.entries**exponent)

    def _apply(self, v: Tensor) -> Tensor:
        return self.entries * v

    def _apply_block(self, V: Tensor) -> Tensor:
        return self.entries[:, None] * V
