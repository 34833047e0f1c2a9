"""Where sharpness-aware minimisation loses stability: an edge that sinks with the gradient."""

import math

from edgewise.foundation import SettingError


def sam_edge(gradient_norm: float | int, lr: float | int, rho: float | int) -> float:
    """The edge of stability of sharpness-aware minimisation.

        (‖g‖/(2ρ)) (√(1 + 8ρ/(η‖g‖)) − 1) < 2/η

    the positive root of ηλ(1 + ρλ/‖g‖) = 2: uphill by ρ along the gradient, a mode of curvature λ has the
    gradient λ(1 + ρλ/‖g‖). For ρ/‖g‖ → 0 it is 2/η, for ‖g‖ → 0 it falls as √(2‖g‖/(ηρ)).

    Args:
        gradient_norm: ‖g‖ > 0.
        lr: η > 0.
        rho: ρ ≥ 0.

    Raises:
        SettingError: if an argument is outside its range.

    Example:
        >>> sam_edge(gradient_norm=1.0, lr=1.0, rho=1.0)
        1.0
        >>> sam_edge(gradient_norm=1.0, lr=0.5, rho=0.0)
        4.0

    References:
        long2023sharpness
    """
    for name, value, fits in (
        ("gradient_norm", gradient_norm, gradient_norm > 0),
        ("lr", lr, lr > 0),
        ("rho", rho, rho >= 0),
    ):
        if not (fits and math.isfinite(value)):
            raise SettingError(f"{name}={value}", "the edge has no meaning there", f"Type a positive {name}")
    # The root multiplied out: no difference of nearly equal numbers where ρ is small.
    return (4.0 / lr) / (1.0 + math.sqrt(1.0 + 8.0 * rho / (lr * gradient_norm)))
