"""Exponential moving averages: what a method keeps of the gradients, and what that does to a mode.

An average m' = β m + (1 − β) g keeps the share β of itself. Averaging the gradient is heavy ball at the step
size (1 − β)η; weight decay that is decoupled from the gradient multiplies the parameters by 1 − ηγ beside it.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def mean_square(average: Tensor, gradient: Tensor, beta: float | int) -> Tensor:
    """β ν + (1 − β) g², in PyTorch's order of operations."""
    return average.mul(beta).addcmul_(gradient, gradient, value=1 - beta)


def averaged_companion(
    eta: float | int, beta: float | int, decay: float | int, curvature: float
) -> NDArray[np.float64]:
    """One mode of w' = (1 − ηγ) w − η m', m' = β m + (1 − β) λ w: from the iterates (w, w₋) to (w', w)."""
    kept = 1.0 - eta * decay
    return np.array([[kept + beta - eta * (1.0 - beta) * curvature, -beta * kept], [1.0, 0.0]])


def averaged_critical_curvature(eta: float | int, beta: float | int, decay: float | int) -> float:
    """(1 + β)(2 − ηγ)/((1 − β)η): where z = −1 solves z² − (1 − ηγ + β − η(1 − β)λ) z + β(1 − ηγ) = 0.

    The product of the two roots is β(1 − ηγ), so no pair of complex ones leaves the unit disc; and z = 1 asks
    for λ = −γ. A decay above 2/η diverges by itself.
    """
    return max(0.0, (1.0 + beta) * (2.0 - eta * decay) / ((1.0 - beta) * eta))
