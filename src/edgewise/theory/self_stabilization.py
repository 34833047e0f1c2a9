"""Self-stabilisation at the edge, in two numbers: how fast the sharpness grows, and what brings it down.

Along the top eigenvector u of a constrained point w†, gradient descent oscillates with x = ⟨u, w − w†⟩, and its
sharpness exceeds 2/η by y. While x is small the sharpness grows at the rate α = −⟨∇L, ∇S⟩; past 2/η the
oscillation grows, and its square lowers the sharpness at the rate βx²/2, β = ‖∇S‖².
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgewise.foundation import SettingError


@final
@dataclass(frozen=True, slots=True)
class SelfStabilization:
    """The reduced dynamics of one critical mode at the edge of stability.

        x' = −(1 + ηy) x,    y' = y + η (α − ½βx²)

    |x| = δ = √(2α/β), y = 0 repeats itself with period two. Around it the pair cycles: the sharpness rises, the
    oscillation blows up, the sharpness falls below 2/η, the oscillation dies away. In continuous time

        h = ½y² − α log|x| + ¼βx²

    is conserved, so whole cycles average to ⟨x²⟩ = δ² and ⟨y⟩ = 0. The map, in which x and y step at once
    as they do in gradient descent, lets h grow slowly: by about 4 % of the largest y over the cycles of
    η√α = 0.006, and more for larger.

    Args:
        alpha: α, the rate at which the sharpness grows; positive.
        beta: β = ‖∇S‖², taken orthogonally to u; positive.

    Raises:
        SettingError: if one of them is not positive and finite.

    Example:
        >>> SelfStabilization(alpha=0.02, beta=4.0).delta
        0.1

    References:
        damian2022selfstabilization
    """

    alpha: float | int
    beta: float | int

    def __post_init__(self) -> None:
        _require_positive("alpha", self.alpha, "a sharpness that does not grow does not reach the edge")
        _require_positive("beta", self.beta, "an oscillation that does not lower the sharpness diverges")

    @classmethod
    def from_inner_products(
        cls,
        gradient_sharpness: float | int,
        sharpness_sharpness: float | int,
        gradient_u: float | int = 0.0,
        sharpness_u: float | int = 0.0,
    ) -> "SelfStabilization":
        """α and β from ∇L, ∇S and u, with the component of ∇S along u taken off.

        Args:
            gradient_sharpness: ⟨∇L, ∇S⟩.
            sharpness_sharpness: ‖∇S‖².
            gradient_u: ⟨∇L, u⟩, zero on the constrained trajectory.
            sharpness_u: ⟨∇S, u⟩.
        """
        alpha = gradient_u * sharpness_u - gradient_sharpness
        return cls(alpha=alpha, beta=sharpness_sharpness - sharpness_u**2)

    @property
    def delta(self) -> float:
        """δ = √(2α/β): the oscillation at which the sharpness neither grows nor falls."""
        return math.sqrt(2.0 * self.alpha / self.beta)

    def excess_loss(self, lr: float | int) -> float:
        """δ²/η: by how much the mean loss exceeds L(w†), half the critical curvature times ⟨x²⟩.

        Example:
            >>> round(SelfStabilization(alpha=0.02, beta=4.0).excess_loss(lr=0.1), 12)
            0.1
        """
        return self.delta**2 / lr

    def small_cycle_period(self, lr: float | int) -> float:
        """2π/(η√(2α)) steps: the period of small cycles around (δ, 0); larger ones take longer."""
        return 2.0 * math.pi / (lr * math.sqrt(2.0 * self.alpha))

    def conserved(self, x: float | int, y: float | int) -> float:
        """h = ½y² − α log|x| + ¼βx²."""
        return 0.5 * y**2 - self.alpha * math.log(abs(x)) + 0.25 * self.beta * x**2

    def largest_y(self, x: float | int, y: float | int) -> float:
        """y_max of the cycle through (x, y), where |x| = δ: by how far the sharpness exceeds 2/η.

        y_max² = y² + 2 [α log(δ/|x|) − ¼β(δ² − x²)]
        """
        return math.sqrt(max(0.0, 2.0 * (self.conserved(x, y) - self.conserved(self.delta, 0.0))))

    def trajectory(
        self, x: float | int, y: float | int, lr: float | int, steps: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The map x' = −(1 + ηy) x, y' = y + η(α − ½βx²), from (x, y) on.

        Args:
            x: displacement along u.
            y: S − 2/η.
            lr: η.
            steps: how many.

        Returns:
            x and y at the steps 0 … n.
        """
        xs, ys = np.empty(steps + 1), np.empty(steps + 1)
        for step in range(steps + 1):
            xs[step], ys[step] = x, y
            x, y = -(1.0 + lr * y) * x, y + lr * (self.alpha - 0.5 * self.beta * x**2)
        return xs, ys


def _require_positive(name: str, value: float, why: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise SettingError(
            f"{name}={value}", why, f"Measure where {name} is positive: on the way to the edge, or at it"
        )
