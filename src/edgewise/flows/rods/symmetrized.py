"""The loss and the gradient at the two ends of an oscillation, and what its centre and its length do.

A method with period two alternates between c + d and c − d. With wₜ = cₜ + (−1)ᵗ dₜ and smooth sequences c and d,
gradient descent w' = w − η∇L(w) splits into its even and its odd part, without approximation:

    c' = c − η ḡ,     ḡ = ½ [∇L(c + d) + ∇L(c − d)]
    d' = −d + η ĝ,    ĝ = ½ [∇L(c + d) − ∇L(c − d)]

Along a mode of curvature λ the centre is multiplied by 1 − ηλ and the displacement by ηλ − 1. At the edge neither
shrinks: the split is not unique there, and a part of d could hide in c as an oscillation. A centre that moves
smoothly has none of it, so along the oscillation it takes the gradient flow over the time of a step, 1 − e^{−ηλ}
in the place of ηλ, and the displacement has the growth of the method.

The means c = ½(wₜ + wₜ₊₁) and half-differences d = ½(wₜ₊₁ − wₜ) of consecutive iterates obey similar equations,
c' − c = −(η/2)[∇L(c − d) + ∇L(c + d)] and d' = −(η/2)∇L(c + d), likewise exact. But that centre keeps the
fraction (2 − ηλ)/(ηλ) of the oscillation: averaging the second equation over the two signs gives a growth of
ηλ/2, half the rate of the true ηλ − 1.
"""

import math
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from edgewise.foundation import FlowError, Parameters, SettingError
from edgewise.objectives import Objective


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ends:
    """Loss and gradient at the two ends c ± d of an oscillation.

    Attributes:
        mean: ḡ = ½ [∇L(c + d) + ∇L(c − d)].
        half_difference: ĝ = ½ [∇L(c + d) − ∇L(c − d)].
        loss: ½ [L(c + d) + L(c − d)].
    """

    mean: Tensor
    half_difference: Tensor
    loss: float

    @property
    def gradient_norm(self) -> float:
        """The root of the mean squared gradient norm of the two ends."""
        squared = self.mean.double().square().sum() + self.half_difference.double().square().sum()
        return math.sqrt(float(squared))


def look_at_ends(objective: Objective, c: Parameters, d: Parameters) -> Ends:
    """Evaluate both ends: two gradients.

    Raises:
        FlowError: if an end is not finite.
    """
    plus, minus = objective.evaluate(c + d), objective.evaluate(c - d)
    ends = Ends(
        mean=(plus.gradient + minus.gradient) / 2,
        half_difference=(plus.gradient - minus.gradient) / 2,
        loss=float(plus.value + minus.value) / 2,
    )
    if not math.isfinite(ends.gradient_norm):
        raise FlowError(
            "an oscillation whose ends have no finite gradient",
            "it grew until the loss overflowed: the curvature does not fall as the oscillation grows",
            "Type a smaller lr, or look at the discrete run: it diverges too",
        )
    return ends


def turned(unit: Parameters, product: Parameters, curvature: Tensor, length: Tensor) -> Parameters:
    """The direction after a step of the Rayleigh-quotient flow, not normalised.

        u' ∝ u + ⅔ (A u − ρ u)/‖A u‖

    An eigenvector is left alone. The step is as long as it can be without turning to an eigenvalue of the
    opposite sign: the largest one wins while none is below minus twice its size.

    Args:
        unit: u.
        product: A u.
        curvature: ρ, its Rayleigh quotient.
        length: ‖A u‖.
    """
    if not float(length) > 0:
        return unit
    return unit + (2.0 / 3.0) * (product - curvature * unit) / length


def search_is_due(step: int, x: float, smallest: float) -> bool:
    """Whether to look for the top eigenvector anew: at every 20th step while hardly anything oscillates.

    A direction that turns toward the top eigenvector never sees one that rises orthogonally to it, as
    happens where the data have a symmetry. While the oscillation is about as small as it can be, its direction
    is of no consequence and may jump.
    """
    return step % 20 == 0 and abs(x) < 10.0 * smallest


def relaxation(time: float) -> float:
    """1 − e^{−ηλ}: how much of the way to the bottom of the valley the gradient flow covers in a step.

    Example:
        >>> relaxation(0.0)
        0.0
    """
    return -math.expm1(-time)


def require_displacement(displacement: Any) -> None:
    """Refuse a smallest oscillation that is none."""
    number = isinstance(displacement, float | int) and not isinstance(displacement, bool)
    if not (number and 0 < displacement < 1):
        raise SettingError(
            f"displacement={displacement!r:.60}",
            "an oscillation grows only out of one that is there, and is small beside the parameters",
            "Type displacement=1e-5, a share of the length of w",
        )


def lengthened(w: Parameters) -> float:
    """What a displacement is a share of: ‖w‖, or one for a start at zero."""
    return float(torch.linalg.vector_norm(w)) or 1.0
