"""The Jacobian of a model's outputs and the derivatives of its criterion, one chunk at a time.

With f_w the outputs of a chunk and ℓ its criterion (its share of the loss included), L = ℓ(f_w). The
Gauss–Newton matrix, the Fisher matrices and the NTK are made of four actions:

    J v,  Jᵀ u      with J = ∂f_w/∂w, forward and reverse mode
    ∇ℓ,  ∇²ℓ t      in output space

Forward mode goes through kernels written from primitives: the fused ones have no derivative of that kind
in train-mode batch normalisation and in attention.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from torch.func import jvp

from edgewise.foundation import ObjectiveError, Parameters, exact_arithmetic
from edgewise.objectives import Objective, SupervisedChunk, SupervisedTerms, kernels


def supervised_terms(objective: Objective, matrix: str) -> SupervisedTerms:
    """The objective's model, criterion and data, for a `matrix` that needs to see them apart.

    Raises:
        ObjectiveError: if the objective is a plain function, or its model has no single tensor of outputs.
    """
    terms = objective.terms
    if not isinstance(terms, SupervisedTerms):
        raise ObjectiveError(
            f"the {matrix} of a plain function",
            "it is made of the model's outputs and the criterion, and a function shows only their composition",
            "Type Objective.from_module(module, criterion, data), or use Hessian(objective, w)",
        )
    outputs_at(next(terms.chunks()), objective.start)
    return terms


def outputs_at(chunk: SupervisedChunk, w: Parameters) -> Tensor:
    """f_w, without a graph."""
    with _derivatives(), torch.no_grad():
        return _outputs(chunk, w)


def push_forward(chunk: SupervisedChunk, w: Parameters, v: Parameters) -> tuple[Tensor, Tensor]:
    """f_w and J v, both in the shape of the outputs."""
    with _derivatives(), torch.no_grad():
        outputs, tangent = jvp(partial(_outputs, chunk), (w,), (v,))[:2]
    return outputs, tangent


def pull_back(chunk: SupervisedChunk, w: Parameters, u: Tensor) -> Parameters:
    """Jᵀ u, for u in the shape of the outputs."""
    leaf = w.detach().requires_grad_()
    with _derivatives(), torch.enable_grad():
        outputs = _outputs(chunk, leaf)
        if not outputs.requires_grad:
            return torch.zeros_like(w)
        (product,) = torch.autograd.grad(outputs, leaf, u, materialize_grads=True)
    return product


def criterion_gradient(chunk: SupervisedChunk, outputs: Tensor) -> Tensor:
    """∇ℓ at these outputs."""
    return _gradient(chunk, outputs.detach().requires_grad_(), differentiable=False)


def criterion_hessian_product(chunk: SupervisedChunk, outputs: Tensor, t: Tensor) -> Tensor:
    """∇²ℓ t at these outputs."""
    leaf = outputs.detach().requires_grad_()
    gradient = _gradient(chunk, leaf, differentiable=True)
    if not gradient.requires_grad:  # a criterion that is linear in the outputs
        return torch.zeros_like(leaf)
    (product,) = torch.autograd.grad(gradient, leaf, t, materialize_grads=True)
    return product


def _gradient(chunk: SupervisedChunk, leaf: Tensor, *, differentiable: bool) -> Tensor:
    with _derivatives(), torch.enable_grad():
        loss = chunk.criterion(leaf)
        (gradient,) = torch.autograd.grad(loss, leaf, create_graph=differentiable, materialize_grads=True)
    return gradient


def _outputs(chunk: SupervisedChunk, w: Tensor) -> Tensor:
    outputs = chunk.outputs(w)
    if not isinstance(outputs, Tensor):
        raise ObjectiveError(
            f"a {type(chunk.terms.module).__name__} whose outputs are a {type(outputs).__name__}",
            "their Jacobian is a matrix only if they are one tensor",
            "Wrap the module so that forward returns the one tensor that the criterion uses",
        )
    return outputs


@contextmanager
def _derivatives() -> Iterator[None]:
    with exact_arithmetic(), kernels.differentiable(3):
        yield
