"""Where a method loses stability, measured from its companion matrix.

Every method states its critical curvature in closed form; here the same number is found by bisection on
the spectral radius, for any companion matrix. The tests hold the two together.
"""

import math
from typing import Any, TypeVar

import numpy as np

from edgewise.foundation import SettingError
from edgewise.methods.method import Method
from edgewise.methods.requirements import require_number, shown

State = TypeVar("State")

# The search runs over 2⁻²⁰ to 2⁴⁰ times the curvature that changes the companion matrix by one: below
# that range rounding decides on which side of one the spectral radius falls.
_SMALLEST, _LARGEST = 2.0**-20, 2.0**40


def spectral_radius(method: Method[State], curvature: float | int, state: State | None = None) -> float:
    """The largest modulus among the eigenvalues of the method's companion matrix.

    A mode of that curvature shrinks when it is below one and grows, by this factor a step in the long
    run, when it is above.

    Args:
        method: any method.
        curvature: λ, an eigenvalue of the Hessian.
        state: where the step size comes from; needed only if it is scheduled.

    Raises:
        SettingError: if `method` is no method or `curvature` no number, or a state is needed and not given.
    """
    require_companion("spectral_radius", method, ", curvature=100.0")
    require_number(
        "curvature", curvature, lambda _: True, "a curvature is a finite number", "Type curvature=100.0"
    )
    return float(np.abs(np.linalg.eigvals(method.companion(float(curvature), state))).max())


def critical_curvature_by_bisection(method: Method[State], state: State | None = None) -> float:
    """The positive curvature at which the spectral radius of the companion matrix crosses one.

    Brackets the crossing by doubling and bisects it down to neighbouring floating-point numbers (some 80
    eigenvalue problems of the size of the companion matrix).

    Args:
        method: any method.
        state: where the step size comes from; needed only if it is scheduled.

    Returns:
        The critical curvature; infinity for a method that is stable at every curvature, zero for one
        that is stable at none.

    Raises:
        SettingError: if `method` is no method, or a state is needed and not given.

    Example:
        >>> from edgewise.methods import GradientDescent
        >>> round(critical_curvature_by_bisection(GradientDescent(0.01)), 9)
        200.0
    """

    require_companion("critical_curvature_by_bisection", method)

    def stable(curvature: float) -> bool:
        return spectral_radius(method, curvature, state) <= 1.0

    change = float(np.abs(method.companion(1.0, state) - method.companion(0.0, state)).max())
    if change == 0.0:
        return math.inf if stable(0.0) else 0.0
    upper, largest = _SMALLEST / change, _LARGEST / change
    if not stable(upper):
        return 0.0
    while stable(upper):
        upper *= 2.0
        if upper > largest:
            return math.inf
    lower = upper / 2.0
    while lower < (middle := lower + (upper - lower) / 2.0) < upper:
        lower, upper = (middle, upper) if stable(middle) else (lower, middle)
    return lower


def require_companion(function: str, value: Any, further: str = "") -> None:
    """Refuse what is no method; `further` is what else to type."""
    if not isinstance(value, Method):
        raise SettingError(
            f"{function} of {shown(value)}",
            "it is a method that has a companion matrix, and that is none",
            f"Type {function}(GradientDescent(0.01){further})",
        )
