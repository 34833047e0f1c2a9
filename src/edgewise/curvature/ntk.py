"""The Gram matrix of the neural tangent kernel, as an operator."""

from math import prod
from typing import final

import torch
from torch import Tensor

from edgewise.curvature.jacobian import outputs_at, pull_back, push_forward, supervised_terms
from edgewise.foundation import Parameters
from edgewise.linalg import Operator
from edgewise.objectives import Objective


@final
class NTK(Operator):
    """The Gram matrix of the neural tangent kernel on the data of the objective.

        K(w) = J Jᵀ,     K[(i, a), (j, b)] = ∇f_a(x_i) · ∇f_b(x_j)

    with J the Jacobian of all outputs with respect to w. Nothing is divided by the number of samples, and
    the criterion plays no part. For L = (1/n) Σᵢ ½‖f(xᵢ) − yᵢ‖², K/n has the nonzero eigenvalues of the
    Gauss–Newton matrix.

    The rows are ordered as the data are: sample by sample, and within a sample as its outputs lie in memory
    (row-major), so that entry (i, a) of n samples with m outputs is number i·m + a: the order of
    `outputs.reshape(-1)`, however the data are chunked.

    One product costs a backward pass and then a forward-mode pass over the data, two to three gradients, and
    the memory of one chunk.

    Args:
        objective: made by `Objective.from_module`, with a model whose outputs are one tensor.
        w: where.

    Raises:
        ObjectiveError: for a plain function, a model whose outputs are not one tensor, or a w that does not
            fit.

    References:
        jacot2018neural
    """

    def __init__(self, objective: Objective, w: Parameters) -> None:
        self._terms = supervised_terms(objective, "NTK")
        self._w = objective.at(w).w
        self._shapes = [outputs_at(chunk, self._w).shape for chunk in self._terms.chunks()]
        super().__init__(sum(map(prod, self._shapes)), objective.dtype, objective.device)

    def _apply(self, v: Tensor) -> Tensor:
        pieces = v.split([prod(shape) for shape in self._shapes])
        direction = torch.zeros_like(self._w)
        for chunk, shape, piece in zip(self._terms.chunks(), self._shapes, pieces, strict=True):
            direction += pull_back(chunk, self._w, piece.view(shape))
        products = [push_forward(chunk, self._w, direction)[1] for chunk in self._terms.chunks()]
        return torch.cat([product.reshape(-1) for product in products])
