"""Reverse over reverse: build the differentiable gradient once, reuse it for every product.

    H v = ∂(gᵀ v)/∂w,     g = ∂L/∂w with its graph kept (Pearlmutter 1994)

One product from a kept graph costs about one to two gradients, where building it anew costs three to four.
"""

from dataclasses import dataclass
from itertools import islice
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import Parameters, SettingError, exact_arithmetic
from edgewise.objectives.kernels import differentiable
from edgewise.objectives.terms import Chunk, Terms
from edgewise.objectives.ways.way import (
    Evaluation,
    Linearization,
    Way,
    add_shares,
    gradient_of,
    product_of,
)

_GIB = 2**30


@final
@dataclass(frozen=True, slots=True)
class DoubleBackward(Way):
    """Reverse over reverse, with the gradient's graph kept while it fits.

    Attributes:
        memory_cap: bytes of saved tensors that may be kept per point. Chunks beyond the cap are
            recomputed in every product, one at a time. The default of 4 GiB suits a laptop.
    """

    memory_cap: int = 4 * _GIB

    def __post_init__(self) -> None:
        if self.memory_cap < 0:
            raise SettingError(
                f"memory_cap={self.memory_cap}",
                "a number of bytes is not negative",
                "Type memory_cap=4 * 2**30",
            )

    def linearize(self, terms: Terms, w: Parameters) -> Linearization:
        """Build the graph of ∇L(w), as much of it as the cap allows."""
        return _KeptGraph(terms, w, self.memory_cap)


@final
class _KeptGraph(Linearization):
    """∇L(w) as a differentiable function of the leaf w: kept for the first chunks, recomputed for the rest."""

    def __init__(self, terms: Terms, w: Parameters, memory_cap: int) -> None:
        self.terms = terms
        self.leaf = w.detach().requires_grad_()
        self.kept_chunks = 0
        self.kept_bytes = 0
        self.third_order_trap = False
        self.kept_gradient = torch.zeros_like(w)
        total = torch.zeros_like(w)
        value = torch.zeros((), dtype=w.dtype, device=w.device)
        metrics: dict[str, Tensor] = {}
        keeping = True
        meter = _Meter()
        with exact_arithmetic(), torch.enable_grad():
            for chunk in terms.chunks():
                if keeping:
                    with meter.hooks(), differentiable(2) as met:
                        loss, shares = chunk.loss_and_metrics(self.leaf)
                        gradient = gradient_of(loss, self.leaf, differentiable=True)
                    self.third_order_trap |= met.met_third_order_trap
                    # A chunk that would cross the cap is let go again, and all that follow it.
                    keeping = meter.bytes <= memory_cap
                else:
                    loss, shares = chunk.loss_and_metrics(self.leaf)
                    gradient = gradient_of(loss, self.leaf)
                if keeping:
                    self.kept_bytes = meter.bytes
                    self.kept_chunks += 1
                    self.kept_gradient = self.kept_gradient + gradient
                # Added up in the order of `plain_gradient`, so that both agree to the last bit.
                total += gradient.detach()
                value += loss.detach()
                add_shares(metrics, shares)
                del loss, gradient
        self.evaluation = Evaluation(value, total, metrics)

    def product(self, v: Parameters) -> Parameters:
        with exact_arithmetic():
            total = product_of(self.kept_gradient, self.leaf, v, keep=True)
            for chunk in islice(self.terms.chunks(), self.kept_chunks, None):
                total = total + self._recomputed(chunk, v)
        return total

    def third(self, u: Parameters, v: Parameters) -> Parameters:
        with exact_arithmetic():
            # A kept graph through a layer whose third derivative is wrong is of no use here: all chunks are
            # then built anew from primitives.
            kept = 0 if self.third_order_trap else self.kept_chunks
            total = torch.zeros_like(u)
            if kept:
                product = product_of(self.kept_gradient, self.leaf, v, keep=True, differentiable=True)
                total = product_of(product, self.leaf, u, keep=True)
            for chunk in islice(self.terms.chunks(), kept, None):
                total = total + self._recomputed(chunk, v, u)
        return total

    def _recomputed(self, chunk: Chunk, v: Tensor, u: Tensor | None = None) -> Tensor:
        with torch.enable_grad(), differentiable(2 if u is None else 3):
            gradient = gradient_of(chunk.loss(self.leaf), self.leaf, differentiable=True)
            product = product_of(gradient, self.leaf, v, keep=False, differentiable=u is not None)
            return product if u is None else product_of(product, self.leaf, u, keep=False)


class _Meter:
    """Counts the bytes that autograd saves, each storage once: all chunks may be views of one data set."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}

    @property
    def bytes(self) -> int:
        return sum(self.seen.values())

    def hooks(self) -> torch.autograd.graph.saved_tensors_hooks:
        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            self.seen[storage.data_ptr()] = storage.nbytes()
            # A node that got its own output back would hold itself, and the graph would never be freed.
            return tensor.detach()

        return torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
