"""One point, one graph: everything that can be asked of the objective at w."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import Block, DerivativeError, ObjectiveError, Parameters, Scalar, first_line
from edgewise.objectives.terms import Terms
from edgewise.objectives.ways import Evaluation, Linearization, Way, plain_gradient


@final
class Point:
    """The objective at one w: value, gradient, metrics, and products that share one graph.

    The graph is built at the first question and freed with the point. w is copied, so that a descent in place
    does not move the point. `products` counts the Hessian-vector
    products asked so far, `third_products` the third-order ones.
    """

    def __init__(self, terms: Terms, w: Parameters, way: Way, *, separate_gradient: bool) -> None:
        self.terms, self.w = terms, w.detach().clone()
        self.products = 0
        self.third_products = 0
        self._way, self._separate_gradient = way, separate_gradient
        self._linearization: Linearization | None = None
        self._evaluation: Evaluation | None = None

    @property
    def value(self) -> Scalar:
        """L(w)."""
        return self._evaluated().value

    @property
    def gradient(self) -> Parameters:
        """∇L(w): bitwise what `Objective.gradient` gives, whether or not products are asked for."""
        return self._evaluated().gradient

    @property
    def metrics(self) -> Mapping[str, Tensor]:
        """The metrics, from the same forward pass as the value."""
        return self._evaluated().metrics

    def hvp(self, v: Parameters) -> Parameters:
        """The Hessian-vector product H(w) v."""
        v = self._checked(v)
        self.products += 1
        with _explained("Hessian-vector product"):
            return self._linearized().product(v)

    def hvp_block(self, vectors: Block) -> Block:
        """H(w) V, column by column: on a kept graph a loop is as fast as a batch and needs less memory."""
        return torch.stack([self.hvp(v) for v in vectors.T], dim=1)

    def third(self, u: Parameters, v: Parameters) -> Parameters:
        """The third-order product ∇_w (uᵀ H(w) v); with u = v a unit eigenvector, ∇λ(w)."""
        u, v = self._checked(u), self._checked(v)
        self.third_products += 1
        with _explained("third-order product"):
            return self._linearized().third(u, v)

    def _linearized(self) -> Linearization:
        if self._linearization is None:
            self._linearization = self._way.linearize(self.terms, self.w)
        return self._linearization

    def _evaluated(self) -> Evaluation:
        if self._evaluation is None:
            if self._separate_gradient:
                # Some kernels (GELU, SiLU, group normalisation …) round differently when the gradient is to
                # be differentiated. The optimiser gets the plain gradient, so that reading changes nothing.
                self._evaluation = plain_gradient(self.terms, self.w)
            else:
                with _explained("gradient that can be differentiated"):
                    self._evaluation = self._linearized().evaluation
        return self._evaluation

    def _checked(self, v: Tensor) -> Tensor:
        if v.shape != self.w.shape or v.dtype != self.w.dtype or v.device != self.w.device:
            raise ObjectiveError(
                f"a vector of shape {tuple(v.shape)}, {v.dtype}, {v.device}",
                f"this objective lives on {tuple(self.w.shape)}, {self.w.dtype}, {self.w.device}",
                "Type torch.randn_like(objective.start) for a vector that fits",
            )
        return v.detach()


@contextmanager
def _explained(derivative: str) -> Iterator[None]:
    """Say which derivative it was that PyTorch does not have."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise DerivativeError(
            f"a {derivative}",
            f"PyTorch has no such derivative of something in this objective ({first_line(error)})",
            "Type selfcheck(objective) to find the layer, or way=CentralDifference() to do without",
        ) from error
