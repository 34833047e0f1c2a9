"""Methods that cannot settle at a minimum: normalised gradient descent, and descent on the root of the loss.

Their steps do not shrink with the gradient, so near a minimum they fall into a period of two along the top
eigenvector, whose two half-periods are not equal but have a fixed sum.
"""

import math


def normalized_gradient_sum(sharpness: float | int, lr: float | int) -> float:
    """‖∇Lₜ‖ + ‖∇Lₜ₊₁‖ of normalised gradient descent near a minimum.

        ‖∇Lₜ‖ + ‖∇Lₜ₊₁‖ = ηλ₁

    On a quadratic it is exact once the iterate is aligned with the top eigenvector: it goes from x to x − η along
    it, and the minimum lies between. The two norms themselves depend on the start.

    Args:
        sharpness: λ₁.
        lr: η, the length of a step.

    Example:
        >>> normalized_gradient_sum(sharpness=4.0, lr=0.5)
        2.0

    References:
        arora2022understanding
    """
    return lr * sharpness


def normalized_root_loss_sum(sharpness: float | int, lr: float | int) -> float:
    """√Lₜ + √Lₜ₊₁ of normalised gradient descent near a minimum of zero loss.

        √Lₜ + √Lₜ₊₁ = η√(λ₁/2)

    Args:
        sharpness: λ₁.
        lr: η, the length of a step.

    Example:
        >>> normalized_root_loss_sum(sharpness=8.0, lr=0.5)
        1.0

    References:
        arora2022understanding
    """
    return lr * math.sqrt(sharpness / 2.0)


def sqrt_loss_root_loss_sum(sharpness: float | int, lr: float | int) -> float:
    """√Lₜ + √Lₜ₊₁ of gradient descent on √L near a minimum of zero loss.

        √Lₜ + √Lₜ₊₁ = ½ηλ₁

    Its steps near the minimum have the length η√(λ₁/2), whatever the loss.

    Args:
        sharpness: λ₁ of the Hessian of L, not of √L.
        lr: η.

    Example:
        >>> sqrt_loss_root_loss_sum(sharpness=8.0, lr=0.5)
        2.0

    References:
        arora2022understanding
    """
    return 0.5 * lr * sharpness


def stableness_balance(first: float | int, second: float | int) -> float:
    """1/S(wₜ, ηₜ) + 1/S(wₜ₊₁, ηₜ₊₁), which is 1 in the period of two of normalised gradient descent.

    S = ηₜ λ₁ with the effective step size ηₜ = η/‖∇Lₜ‖ is the stableness, 2 at the edge: of two consecutive steps
    one at least is past it. It is the sum rule of the gradient norms in other words.

    Args:
        first: S of one step.
        second: S of the next.

    Example:
        >>> stableness_balance(4.0, 4 / 3)
        1.0

    References:
        arora2022understanding
    """
    return 1.0 / first + 1.0 / second


def normalized_flow_rate(slope_squared: float | int, sharpness: float | int) -> float:
    """dλ₁/dτ under the limiting flow of normalised gradient descent, in the time τ = η²t.

        dλ₁/dτ = −¼ ‖P∇λ₁‖²/λ₁

    Args:
        slope_squared: ‖P∇λ₁‖², P the projection on the tangent space of the minimisers.
        sharpness: λ₁.

    Example:
        >>> normalized_flow_rate(slope_squared=8.0, sharpness=2.0)
        -1.0

    References:
        arora2022understanding
    """
    return -0.25 * slope_squared / sharpness


def sqrt_loss_flow_rate(slope_squared: float | int) -> float:
    """dλ₁/dτ under the limiting flow of gradient descent on √L, in the time τ = η²t.

        dλ₁/dτ = −⅛ ‖P∇λ₁‖²

    Args:
        slope_squared: ‖P∇λ₁‖², P the projection on the tangent space of the minimisers.

    Example:
        >>> sqrt_loss_flow_rate(slope_squared=8.0)
        -1.0

    References:
        arora2022understanding
    """
    return -0.125 * slope_squared
