"""Critical sharpness: how far along a step the loss falls, found by looking at the loss alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

from edgewise.foundation import SettingError

Ending = Literal["found", "ascends", "never rises", "out of passes"]
"""How the search ended.

    found           the step is known to the tolerance
    ascends         the loss rises from the smallest step tried on: the direction is uphill, or rounding
    never rises     it still falls at the largest step tried
    out of passes   the passes were spent before the tolerance was reached; the bracket holds all the same
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalStep:
    """Where along a direction the loss comes back to its present value.

    Attributes:
        step: η_c, the multiple of the direction; infinite if the loss never rises, 0 if it rises at once.
        low: the largest step tried at which the loss is below its present value.
        high: the smallest one at which it is not.
        ending: how the search ended.
        passes: forward passes used, that at the present point not counted.
    """

    step: float
    low: float
    high: float
    ending: Ending
    passes: int

    @property
    def sharpness(self) -> float:
        """λ_c = 2/η_c, the critical sharpness."""
        return 2.0 / self.step if self.step > 0 else math.inf

    @property
    def bounds(self) -> tuple[float, float]:
        """Between what λ_c lies."""
        return (2.0 / self.high, 2.0 / self.low if self.low > 0 else math.inf)


def critical_step(
    loss: Callable[[float], float],
    present: float,
    *,
    guess: float | int,
    rtol: float = 0.05,
    passes: int = 12,
    noise: float = 0.0,
) -> CriticalStep:
    """The smallest multiple of a direction at which the loss rises above its present value.

        η_c = min{η > 0 : L(w + ηd) > L(w)},     λ_c = 2/η_c

    For a quadratic and d = −g it is λ_c = gᵀHg/‖g‖². No derivative is taken. The step is bracketed by doubling or
    halving the guess, and then found as the zero of (L(w + ηd) − L(w))/η, which is a straight line for a
    quadratic: where the loss is nearly one, two or three passes after the bracket do, and where it is not, no
    step leaves the bracket (the Illinois form of false position).

    Args:
        loss: L(w + ηd) for a multiple η; a value that is not finite counts as risen.
        present: L(w).
        guess: where to begin, such as the last η_c.
        rtol: of the step; the search ends when the bracket is that narrow or the line fits to it.
        passes: the most forward passes to use.
        noise: by how much two evaluations of the same loss may differ; a smaller rise is none.

    Raises:
        SettingError: if the guess is not a positive number, the present loss not finite, or there are no passes.

    Example:
        >>> found = critical_step(lambda eta: (1 - 4 * eta) ** 2, 1.0, guess=0.3)
        >>> round(found.sharpness, 6), found.ending
        (4.0, 'found')

    References:
        critical2026sharpness
    """
    _check(present, guess, rtol, passes)

    def slope(eta: float) -> float:
        value = loss(eta)
        return (value - present - noise) / eta if math.isfinite(value) else math.inf

    low, high, at_low, at_high = 0.0, math.inf, -math.inf, math.inf
    eta, used = float(guess), 0
    while used < passes and (low == 0.0 or high == math.inf):
        found = slope(eta)
        used += 1
        if found < 0:
            low, at_low = eta, found
        else:
            high, at_high = eta, found
        if low == 0.0:
            eta = high / 2
        elif high == math.inf:
            eta = low * 2
    if low == 0.0:
        return CriticalStep(step=0.0, low=0.0, high=high, ending="ascends", passes=used)
    if high == math.inf:
        return CriticalStep(step=math.inf, low=low, high=high, ending="never rises", passes=used)
    side, fitted = 0, _line(low, high, at_low, at_high)
    while used < passes and high - low > rtol * low:
        found = slope(fitted)
        used += 1
        before = fitted
        if found < 0:
            at_high = at_high / 2 if side < 0 else at_high
            low, at_low, side = fitted, found, -1
        else:
            at_low = at_low / 2 if side > 0 else at_low
            high, at_high, side = fitted, found, 1
        fitted = _line(low, high, at_low, at_high)
        if abs(fitted - before) <= rtol / 4 * fitted:
            return CriticalStep(step=fitted, low=low, high=high, ending="found", passes=used)
    narrow = high - low <= rtol * low
    return CriticalStep(
        step=fitted, low=low, high=high, ending="found" if narrow else "out of passes", passes=used
    )


def _line(low: float, high: float, at_low: float, at_high: float) -> float:
    """The zero of the straight line through both ends; the geometric middle where one end overflowed."""
    if not math.isfinite(at_high) or at_high <= 0:
        return math.sqrt(low * high) if not math.isfinite(at_high) else high
    return low + (high - low) * at_low / (at_low - at_high)


def _check(present: float, guess: float | int, rtol: float, passes: int) -> None:
    if not math.isfinite(present):
        raise SettingError(
            f"a present loss of {present}", "no step can be said to raise it", "Look at a point where it is finite"
        )
    if not 0 < guess < math.inf:
        raise SettingError(f"guess={guess}", "a step is a positive multiple", "Type guess=1.0")
    if not 0 < rtol < 1:
        raise SettingError(f"rtol={rtol}", "it is a share of the step", "Type rtol=0.05")
    if passes < 1:
        raise SettingError(f"passes={passes}", "nothing can be found without looking", "Type passes=12")
