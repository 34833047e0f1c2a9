"""Forward over reverse: the derivative of the gradient along v, nothing kept between products.

    H v = d/dε ∇L(w + ε v) at ε = 0

Costs about three gradients a product and the memory of one; the second opinion on double backward.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.func import grad, jvp

from edgewise.foundation import Parameters, exact_arithmetic
from edgewise.objectives.kernels import differentiable
from edgewise.objectives.terms import Terms
from edgewise.objectives.ways.way import Linearization, Way, plain_gradient


@final
@dataclass(frozen=True, slots=True)
class ForwardOverReverse(Way):
    """The jvp of the gradient, chunk by chunk."""

    def linearize(self, terms: Terms, w: Parameters) -> Linearization:
        """Evaluate the gradient at w; nothing is kept."""
        return _Forward(terms, w)


@final
class _Forward(Linearization):
    def __init__(self, terms: Terms, w: Parameters) -> None:
        self.terms, self.w = terms, w.detach()
        self.evaluation = plain_gradient(terms, w)

    def product(self, v: Parameters) -> Parameters:
        total = torch.zeros_like(self.w)
        # Order 3, though this is order 2: it has the kernels that forward mode needs.
        with exact_arithmetic(), differentiable(3):
            for chunk in self.terms.chunks():
                total += jvp(grad(chunk.loss), (self.w,), (v,))[1]
        return total.detach()

    def third(self, u: Parameters, v: Parameters) -> Parameters:
        total = torch.zeros_like(self.w)
        with exact_arithmetic(), differentiable(3):
            for chunk in self.terms.chunks():

                def curvature(w: Tensor, loss: Callable[[Tensor], Tensor] = chunk.loss) -> Tensor:
                    product: Tensor = jvp(grad(loss), (w,), (v,))[1]
                    return u @ product

                total += grad(curvature)(self.w)
        return total.detach()
