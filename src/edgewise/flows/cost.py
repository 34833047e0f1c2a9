"""What a flow has cost so far, in the currency of the discrete method beside it."""

from dataclasses import dataclass
from typing import final

# By its operations a product on a kept graph counts 1.09 gradients on a fully connected network, 1.9 on a
# convolutional one and 2.0 on a transformer; a third-order product about twice that. The larger ones are taken.
_PRODUCT, _THIRD = 2.0, 4.0


@final
@dataclass(frozen=True, slots=True)
class Cost:
    """Derivatives asked for, by order.

    Attributes:
        gradients: ∇L(w).
        products: H(w) v, at a point whose gradient was paid for.
        thirds: ∇(uᵀ H v), likewise.

    Example:
        >>> (Cost(gradients=1, products=3) + Cost(thirds=1)).equivalents
        11.0
    """

    gradients: int = 0
    products: int = 0
    thirds: int = 0

    @property
    def equivalents(self) -> float:
        """The same in gradient equivalents: 1 a gradient, 2 a product, 4 a third-order product."""
        return self.gradients + _PRODUCT * self.products + _THIRD * self.thirds

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.gradients + other.gradients, self.products + other.products, self.thirds + other.thirds)
