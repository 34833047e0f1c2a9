"""An objective as a sum of terms, one per chunk of data.

Everything that differentiates sees only this: an iterable of chunks, each a scalar function of the flat
vector w, whose sum is L(w). That is what lets memory grow with the chunk and not with the data set.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import ObjectiveError, Scalar


class Chunk(ABC):
    """One term of the sum: w ↦ its share of L(w)."""

    @abstractmethod
    def loss(self, w: Tensor) -> Scalar:
        """The chunk's share of L(w), differentiable; shares add up to L."""

    @abstractmethod
    def loss_and_metrics(self, w: Tensor) -> tuple[Scalar, Mapping[str, Tensor]]:
        """The same share, and the chunk's shares of every metric, from one forward pass."""


class Terms(ABC):
    """The chunks of an objective, and what every solver needs to know about its argument w."""

    size: int
    dtype: torch.dtype
    device: torch.device

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """The chunks, in the same order every time."""


@final
@dataclass(frozen=True)
class SingleTerm(Terms):
    """One chunk of an objective, by itself."""

    chunk: Chunk
    size: int
    dtype: torch.dtype
    device: torch.device

    def chunks(self) -> Iterator[Chunk]:
        """That chunk."""
        yield self.chunk


@final
@dataclass(frozen=True)
class FunctionTerms(Terms):
    """A plain function of a flat vector: one chunk, no metrics."""

    function: Callable[[Tensor], Tensor]
    size: int
    dtype: torch.dtype
    device: torch.device

    def chunks(self) -> Iterator[Chunk]:
        """The one chunk."""
        yield _FunctionChunk(self.function)


@final
@dataclass(frozen=True, slots=True)
class _FunctionChunk(Chunk):
    function: Callable[[Tensor], Tensor]

    def loss(self, w: Tensor) -> Scalar:
        value = self.function(w)
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ObjectiveError(
                f"a function that returns {shape}",
                "an objective is a scalar tensor",
                "Return a zero-dimensional tensor, for example loss.mean()",
            )
        return value.reshape(())

    def loss_and_metrics(self, w: Tensor) -> tuple[Scalar, Mapping[str, Tensor]]:
        return self.loss(w), {}
