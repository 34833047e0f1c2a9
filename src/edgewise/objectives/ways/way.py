"""What a way of taking second and third derivatives promises.

A way turns terms and a point into a `Linearization`: the objective near w, as far as products go.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import Parameters, Scalar, exact_arithmetic
from edgewise.objectives.terms import Terms


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """Value, gradient and metrics at one point.

    Attributes:
        value: L(w), a zero-dimensional tensor.
        gradient: ∇L(w), shape (params,).
        metrics: means over the samples, by name.
    """

    value: Scalar
    gradient: Parameters
    metrics: Mapping[str, Tensor]


class Linearization(ABC):
    """The objective near one point w."""

    evaluation: Evaluation

    @abstractmethod
    def product(self, v: Parameters) -> Parameters:
        """H(w) v."""

    @abstractmethod
    def third(self, u: Parameters, v: Parameters) -> Parameters:
        """∇_w (uᵀ H(w) v)."""


class Way(ABC):
    """A way of taking Hessian-vector and third-order products."""

    @abstractmethod
    def linearize(self, terms: Terms, w: Parameters) -> Linearization:
        """The objective near w; costs one evaluation of the gradient."""


def plain_gradient(terms: Terms, w: Parameters) -> Evaluation:
    """Value, gradient and metrics chunk by chunk, keeping nothing that a second derivative would need."""
    value = torch.zeros((), dtype=w.dtype, device=w.device)
    gradient = torch.zeros_like(w)
    metrics: dict[str, Tensor] = {}
    with exact_arithmetic(), torch.enable_grad():
        for chunk in terms.chunks():
            leaf = w.detach().requires_grad_()
            loss, shares = chunk.loss_and_metrics(leaf)
            gradient += gradient_of(loss, leaf)
            value += loss.detach()
            add_shares(metrics, shares)
    return Evaluation(value, gradient, metrics)


def gradient_of(loss: Tensor, leaf: Tensor, *, differentiable: bool = False) -> Tensor:
    """∂loss/∂leaf, zero where the loss does not depend on it."""
    if not loss.requires_grad:
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(loss, leaf, create_graph=differentiable, materialize_grads=True)
    return gradient


def product_of(gradient: Tensor, leaf: Tensor, v: Tensor, *, keep: bool, differentiable: bool = False) -> Tensor:
    """∂(gradientᵀ v)/∂leaf: a Hessian-vector product from a differentiable gradient."""
    if not gradient.requires_grad:
        return torch.zeros_like(leaf)
    (product,) = torch.autograd.grad(
        gradient,
        leaf,
        v,
        retain_graph=keep or differentiable,
        create_graph=differentiable,
        materialize_grads=True,
    )
    return product


def add_shares(total: dict[str, Tensor], shares: Mapping[str, Tensor]) -> None:
    """Add a chunk's shares of the metrics to the running totals."""
    for name, share in shares.items():
        total[name] = total[name] + share if name in total else share
