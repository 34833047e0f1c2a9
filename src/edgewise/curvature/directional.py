"""Curvature along one direction."""

from dataclasses import dataclass
from typing import final

import torch

from edgewise.foundation import Parameters, SettingError
from edgewise.objectives import Point


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RayleighQuotient:
    """The curvature along a direction, how far that is from an eigenvalue, and its cost.

    Attributes:
        value: κ = dᵀ H d / ‖d‖², the Rayleigh quotient of d.
        residual: ‖H d − κ d‖ / ‖d‖. Some eigenvalue of H lies within this of κ; zero for an eigenvector.
        products: Hessian-vector products used.
    """

    value: float
    residual: float
    products: int


def directional_curvature(point: Point, direction: Parameters) -> RayleighQuotient:
    """The curvature of the loss along a direction: a Rayleigh quotient of the Hessian.

        κ = dᵀ H d / ‖d‖²

    It lies between the smallest and the largest eigenvalue; along the gradient it is what the next step of
    gradient descent meets. Costs one product on the graph of the point.

    Args:
        point: the objective at w.
        direction: d, of any length but zero.

    Raises:
        SettingError: if the direction is zero or not finite.
        ObjectiveError: if it does not fit the objective.

    Example:
        >>> from edgewise.objectives import Objective
        >>> bowl = Objective.from_function(lambda w: (torch.tensor([1.0, 2.0]) * w**2).sum(), 2)
        >>> directional_curvature(bowl.at(bowl.start), torch.tensor([0.0, 5.0]).double()).value
        4.0

    References:
        cohen2021gradient
    """
    length = torch.linalg.vector_norm(direction)
    if not (torch.isfinite(length) and length > 0):
        raise SettingError(
            f"a direction of length {float(length)}",
            "it points nowhere",
            "Give a vector that is finite and not zero; at a minimum the gradient is none",
        )
    d = direction / length
    product = point.hvp(d)
    value = d @ product
    residual = torch.linalg.vector_norm(product - value * d)
    return RayleighQuotient(value=float(value), residual=float(residual), products=1)
