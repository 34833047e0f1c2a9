"""The generalised Gauss–Newton matrix, as an operator."""

from typing import final

import torch
from torch import Tensor

from edgewise.curvature.jacobian import criterion_hessian_product, pull_back, push_forward, supervised_terms
from edgewise.foundation import Parameters
from edgewise.linalg import Operator
from edgewise.objectives import Objective


@final
class GaussNewton(Operator):
    """The generalised Gauss–Newton matrix: the Hessian of the loss with the model replaced by its linearisation.

        G(w) = Σ_c J_cᵀ (∇²_f ℓ_c) J_c

    over the chunks c of the data, with J_c the Jacobian of the chunk's outputs f and ℓ_c its share of the
    loss as a function of them. Positive semi-definite for a convex criterion; equal to the Hessian for a
    model that is linear in w.

    One product costs a forward-mode pass and a backward pass over the data, two to three gradients, and the
    memory of one chunk; nothing is kept between products.

    Args:
        objective: made by `Objective.from_module`, with a model whose outputs are one tensor.
        w: where.

    Raises:
        ObjectiveError: for a plain function, a model whose outputs are not one tensor, or a w that does not
            fit.

    References:
        schraudolph2002fast, martens2020new
    """

    def __init__(self, objective: Objective, w: Parameters) -> None:
        self._terms = supervised_terms(objective, "Gauss–Newton matrix")
        self._w = objective.at(w).w
        super().__init__(objective.size, objective.dtype, objective.device)

    def _apply(self, v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for chunk in self._terms.chunks():
            outputs, tangent = push_forward(chunk, self._w, v)
            total += pull_back(chunk, self._w, criterion_hessian_product(chunk, outputs, tangent))
        return total
