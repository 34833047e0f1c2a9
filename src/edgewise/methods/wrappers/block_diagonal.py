"""Block-diagonal operators: one for each slice of the parameters."""

from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor

from edgewise.linalg import Operator, Preconditioner


@final
class BlockDiagonal(Preconditioner):
    """diag(c₁ P₁, c₂ P₂, …): a preconditioner for each slice of the parameters.

    Args:
        blocks: P_g.
        factors: c_g > 0.
    """

    def __init__(self, blocks: Sequence[Preconditioner], factors: Sequence[float]) -> None:
        super().__init__(sum(block.size for block in blocks), blocks[0].dtype, blocks[0].device)
        self._blocks, self._factors = tuple(blocks), tuple(factors)
        self._action = Blocks([factor * block for factor, block in zip(factors, blocks, strict=True)])

    def power(self, exponent: float) -> Operator:
        """diag(c_g^exponent P_g^exponent)."""
        each = zip(self._factors, self._blocks, strict=True)
        return Blocks([factor**exponent * block.power(exponent) for factor, block in each])

    def _apply(self, v: Tensor) -> Tensor:
        return self._action.matvec(v)

    def _apply_block(self, V: Tensor) -> Tensor:
        return self._action.matmat(V)


@final
class Blocks(Operator):
    """diag(A₁, A₂, …): an operator for each slice of the parameters.

    Args:
        blocks: A_g.
    """

    def __init__(self, blocks: Sequence[Operator]) -> None:
        super().__init__(sum(block.size for block in blocks), blocks[0].dtype, blocks[0].device)
        self._blocks = tuple(blocks)

    def _apply(self, v: Tensor) -> Tensor:
        return torch.cat([block.matvec(part) for block, part in self._split(v)])

    def _apply_block(self, V: Tensor) -> Tensor:
        return torch.cat([block.matmat(part) for block, part in self._split(V)])

    def _split(self, v: Tensor) -> Iterator[tuple[Operator, Tensor]]:
        return zip(self._blocks, v.split([block.size for block in self._blocks]), strict=True)
