"""Runge–Kutta–Chebyshev of order three, by telling each step of second order what the last one missed."""

import math
from dataclasses import dataclass
from typing import final

from edgewise.flows.integrators.chebyshev2 import coefficients, fewest, recur
from edgewise.flows.integrators.integrator import Integrator, Trial, VectorField
from edgewise.foundation import SettingError, Vector

_FULL = 0.0705  # C of eight stages; taking off more than that would not be stable


@final
@dataclass(frozen=True, slots=True)
class RKC3(Integrator):
    """The Runge–Kutta–Chebyshev method, corrected to third order by the derivative that the last step has seen.

    The local error of `RKC2` is C h³ y''', with C → 1/15 for many stages. It takes the same step for

        y' = f(y) + C h² y'''

    whose solution is off by just that much the other way. The third derivative is that at the middle of the step
    before, from what is known at its ends, so that the correction costs no gradient:

        h³ y''' = 12 (y(t) − y(t + h)) + 6 h (f(y(t)) + f(y(t + h))) + O(h⁵)

    To a stiff mode the correction is one more force, to which the step answers in a stable way. With step
    ratio r and R the stability polynomial of `RKC2`, a linear mode obeys

        y₊ = R y − 6 C r² (1 − R)(y + y₋)

    with both roots inside the unit disc for R between −1/3 and 1, C ≤ 0.0705 and r ≤ 1.25: steps grow no faster,
    and of the larger C of two to seven stages only 1/15 is taken off, so that there a second-order error remains.
    What the correction did not foresee, the change of C h³ y''' since the last step, is the error estimate.

    Order 3 from eight stages on; s gradients a step, that at its end included, as in `RKC2`.

    Args:
        max_stages: the most stages of one step; longer steps are not taken.

    Raises:
        SettingError: if `max_stages` is below two.

    Example:
        >>> RKC3().stages(100.0)
        13

    References:
        sommeijer1997rkc
    """

    max_stages: int = 150

    def __post_init__(self) -> None:
        if self.max_stages < 2:
            raise SettingError(
                f"max_stages={self.max_stages}", "a step of the recurrence takes two", "Type max_stages=150"
            )

    @property
    def order(self) -> int:
        """3, from eight stages on."""
        return 3

    @property
    def fastest(self) -> float:
        """1.25: with longer strides the correction of stiff modes would overshoot."""
        return 1.25

    def reach(self, stages: int) -> float:
        """How far down the negative real axis a step of so many stages is stable."""
        return coefficients(stages).reach

    def stages(self, stiffness: float) -> int:
        """The fewest stages that are stable where the step times the spectral radius is `stiffness`."""
        return fewest(stiffness)

    def longest(self, radius: float) -> float:
        """What the most stages allow."""
        return self.reach(self.max_stages) / radius if radius > 0.0 else math.inf

    def step(
        self,
        field: VectorField,
        y: Vector,
        velocity: Vector,
        h: float,
        radius: float,
        memory: Vector | None = None,
    ) -> Trial:
        """One step; its memory is y''' at its middle."""
        stages = min(self.max_stages, self.stages(h * radius))
        by = coefficients(stages)
        share = by.defect if by.defect < _FULL else 1.0 / 15.0
        push = None if memory is None else memory * (share * h * h)
        displacement = recur(field, y, velocity, h, by, push)
        end = field.at(y + displacement, curvature=True)
        third = (velocity + end.velocity).mul_(6.0 / h**2).add_(displacement, alpha=-12.0 / h**3)
        error = third * (by.defect * h**3)
        if push is not None:
            error.add_(push, alpha=-h)
        return Trial(
            displacement=displacement,
            end=end,
            evaluations=stages,
            error=error,
            error_order=3 if push is None else 4,
            memory=third,
        )
