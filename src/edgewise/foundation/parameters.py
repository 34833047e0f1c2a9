"""ParameterSpace: named tensors ⇄ one flat vector.

Solvers see w ∈ ℝᵖ; modules see named tensors. The conversion happens here, at the border, once.
Tied weights appear once, frozen ones not at all, and a subset (one layer, one block) is a space
like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import final

import torch
from torch import Tensor, nn

from edgewise.foundation.errors import ObjectiveError
from edgewise.foundation.types import Parameters


@final
@dataclass(frozen=True, slots=True)
class ParameterSpace:
    """The names and shapes behind the entries of a flat vector, in order.

    Attributes:
        names: one name per tensor, as `Module.named_parameters` gives it.
        shapes: the shape of each.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, module: nn.Module, only: Sequence[str] | str | None = None) -> "ParameterSpace":
        """The trainable parameters of `module`, each tied weight once.

        Args:
            module: any module.
            only: names or prefixes of the parameters to keep: `["0"]` keeps layer 0, `["0.weight"]`
                one tensor. None keeps all that are trainable.

        Raises:
            ObjectiveError: if nothing is trainable, or a name in `only` matches nothing.
        """
        trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not trainable:
            raise ObjectiveError(
                f"a {type(module).__name__} with no trainable parameter",
                "there is nothing to differentiate with respect to",
                "Type module.requires_grad_(True), or give a module that has parameters",
            )
        if only is not None:
            chosen = _chosen(module, [only] if isinstance(only, str) else list(only), list(trainable))
            trainable = {name: p for name, p in trainable.items() if id(p) in chosen}
        return cls(tuple(trainable), tuple(tuple(p.shape) for p in trainable.values()))

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of entries of each tensor."""
        return tuple(prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """The length of the flat vector."""
        return sum(self.lengths)

    def flatten(self, tensors: Mapping[str, Tensor]) -> Parameters:
        """The named tensors as one vector (a copy)."""
        return torch.cat([tensors[name].reshape(-1) for name in self.names])

    def unflatten(self, w: Tensor) -> dict[str, Tensor]:
        """The vector as named tensors: differentiable views of `w`.

        One split rather than many slices: its backward is a single concatenation, where each slice
        would allocate and fill a vector of the full length.
        """
        pieces = w.split(self.lengths)
        return {
            name: piece.view(shape) for name, piece, shape in zip(self.names, pieces, self.shapes, strict=True)
        }


def _chosen(module: nn.Module, prefixes: list[str], names: list[str]) -> set[int]:
    """The identities of the trainable parameters under any prefix, a tied weight under any of its names."""
    chosen: set[int] = set()
    for prefix in prefixes:
        everything = module.named_parameters(remove_duplicate=False)
        found = {id(p) for name, p in everything if p.requires_grad and _matches(name, prefix)}
        if not found:
            raise ObjectiveError(
                f"parameters={prefixes}",
                f"no trainable parameter is called {prefix!r} or lies below it",
                f"Choose from {', '.join(names)}",
            )
        chosen |= found
    if not chosen:
        raise ObjectiveError("parameters=[]", "no parameter is left", f"Choose from {', '.join(names)}")
    return chosen


def _matches(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix.rstrip(".") + ".")
