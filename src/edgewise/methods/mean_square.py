"""Where a method loses stability in mean square: the curvature of a mode differs from batch to batch.

A mode w sees the curvature h_t of the batch of step t, drawn anew every time. What the method makes of the
gradients h_t w_t is linear: w is −p₁(z)/p₀(z) applied to them, where p₀ + h p₁ is the characteristic polynomial of
its companion matrix at the curvature h. With the mean m₁ of h taken into the loop, what is left of the gradients
is white noise of the variance Var(h) E[w²], so that

    E[w²] is bounded  ⇔  Var(h) ‖p₁/(p₀ + m₁ p₁)‖² < 1,

the sum of the squares of the impulse response. For heavy ball that is E[h²]/m₁ < 2(1−β)/η + 2β m₁/(1+β).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from edgewise.foundation import SettingError
from edgewise.methods.method import AnyMethod
from edgewise.methods.requirements import require_number
from edgewise.methods.stability import require_companion

# Below this share the curvature is that at zero to six digits, up to a momentum of 0.99; smaller ones would lose
# those to rounding.
_LEAST = 1e-8
_RTOL = 1e-10

Coefficients = NDArray[np.float64]


def critical_curvature_in_mean_square(method: AnyMethod, agreement: float | int, state: Any = None) -> float:
    """The curvature E[h²]/E[h] of single batches at which a mode loses stability in mean square.

    Args:
        method: any method with one companion matrix for each curvature, whose polynomial is linear in it.
        agreement: E[h]²/E[h²], the share of that curvature that the mean over batches has: at 1 all batches are
            the same, and it is the critical curvature; towards 0 it is 2 over the sum of all steps that
            a gradient ever causes, such as 2(1−β)/η. Weight decay holds a mode that has no mean at all: with it
            the line rises again towards 0, beyond every bound.
        state: where the step size comes from; needed only if it is scheduled.

    Returns:
        The curvature; infinity for a method that is stable at every one.

    Raises:
        SettingError: if `method` is no method or not linear in the curvature, the agreement is not in [0, 1], or a
            state is needed and not given.

    Example:
        >>> from edgewise.methods import HeavyBall
        >>> round(critical_curvature_in_mean_square(HeavyBall(0.1, 0.9), 0.0), 6)
        2.0
        >>> round(critical_curvature_in_mean_square(HeavyBall(0.1, 0.9), 1.0), 6)
        38.0

    References:
        wu2018how, andreyev2026momentum
    """
    require_companion("critical_curvature_in_mean_square", method, ", agreement=0.5")
    require_number(
        "agreement", agreement, lambda q: 0 <= q <= 1, "it is a share of one, in [0, 1]", "Type agreement=0.5"
    )
    critical, share = method.critical_curvature_at(state), max(float(agreement), _LEAST)
    if share == 1.0 or not 0.0 < critical < np.inf:
        return critical
    # By the curvature that moves the mode, whatever its unit.
    resting, moved = _polynomials(method, critical, state)

    def excess(mean: float) -> float:
        # Var(h) = m₁² (1/q − 1).
        return mean**2 * (1.0 / share - 1.0) * _energy(moved, resting + mean * moved) - 1.0

    upper = 0.5
    while excess(upper) < 0.0:
        upper = (1.0 + upper) / 2.0
        if upper > 1.0 - _RTOL:
            return critical / share
    lower = upper
    while excess(lower) > 0.0:
        lower /= 2.0
    mean = lower if lower == upper else float(brentq(excess, lower, upper, xtol=_RTOL * lower, rtol=_RTOL))
    return critical * mean / share


def _polynomials(method: AnyMethod, unit: float, state: Any) -> tuple[Coefficients, Coefficients]:
    """p₀ and p₁, with curvatures in a unit."""
    resting, once, twice = (
        np.asarray(np.poly(method.companion(times * unit, state)), np.float64) for times in (0.0, 1.0, 2.0)
    )
    moved = once - resting
    if not np.allclose(twice - once, moved, rtol=1e-9, atol=1e-9):
        raise SettingError(
            f"{type(method).__name__} in mean square",
            "its companion matrix is not linear in the curvature: a batch's mean does not tell what it does",
            "Give a method that takes the gradient at w, such as HeavyBall(0.01, 0.9)",
        )
    return resting, moved


def _energy(numerator: Coefficients, denominator: Coefficients) -> float:
    """The sum of the squares of the impulse response of numerator/denominator, which is stable.

    c P cᵀ with P = A P Aᵀ + e₁e₁ᵀ, in controllable form.
    """
    order = len(denominator) - 1
    matrix = np.eye(order, k=-1)
    matrix[0] = -denominator[1:]
    source = np.zeros(order * order)
    source[0] = 1.0
    covariance = np.linalg.solve(np.eye(order * order) - np.kron(matrix, matrix), source).reshape(order, order)
    return float(numerator[1:] @ covariance @ numerator[1:])
