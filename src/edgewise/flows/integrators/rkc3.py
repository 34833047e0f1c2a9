"""Runge–Kutta–Chebyshev of order three, by telling each step of second order what the last one missed."""

from dataclasses import dataclass
from typing import final

from edgewise.flows.integrators.chebyshev2 import coefficients, fewest, recur
from edgewise.flows.integrators.integrator import Stabilized, Trial, VectorField, require_stages
from edgewise.foundation import Vector

_AHEAD = 1.6  # the most of r³


@final
@dataclass(frozen=True, slots=True)
class RKC3(Stabilized):
    """The Runge–Kutta–Chebyshev method, corrected to third order by the derivative that the last step has seen.

    The local error of `RKC2` is −C h³ y''', with C → 1/15 for many stages. This method takes the same step for

        y' = f(y) + p,    p = C h² y'''

    whose solution is off by just that much the other way. The third derivative X = h³ y''' is that of the step
    before, times r³ for a step ratio r, from what was known at its two ends, so that the correction costs no
    gradient. Since D = h (F₀ + F₁)/2 − X/12 for the exact displacement, and the step taken is off by p h − C X,

        X = [6 h (F₀ + F₁) − 12 D + 12 p h]/(1 + 12 C)

    To a stiff mode the correction is one more force. The recursion of y and X together is stable on the whole
    interval for every r, if r³ is cut at 1.6: what longer steps would need beyond that stays uncorrected. What the
    correction did not foresee, C X − p h, is the error estimate.

    Order 3, where fewer than five stages leave a small error of second order on nonlinear equations, of which C
    is not the same for both third-order terms; s gradients a step, that at its end included, as in `RKC2`.

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
        require_stages(self.max_stages, 2, "a step of the recurrence takes two")

    @property
    def order(self) -> int:
        """3."""
        return 3

    def reach(self, stages: int) -> float:
        """How far down the negative real axis a step of so many stages is stable."""
        return coefficients(stages).reach

    def stages(self, stiffness: float) -> int:
        """The fewest stages that are stable where the step times the spectral radius is `stiffness`."""
        return fewest(stiffness)

    def step(
        self,
        field: VectorField,
        y: Vector,
        velocity: Vector,
        h: float,
        radius: float,
        memory: Vector | None = None,
        ratio: float = 1.0,
    ) -> Trial:
        """One step; its memory is h³ y''' at its middle."""
        stages = min(self.max_stages, self.stages(h * radius))
        by = coefficients(stages)
        push = None if memory is None else memory * (by.defect * min(ratio**3, _AHEAD) / h)
        displacement = recur(field, y, velocity, h, by, push)
        end = field.at(y + displacement, curvature=True)
        third = (velocity + end.velocity).mul_(6.0 * h).add_(displacement, alpha=-12.0)
        if push is not None:
            third.add_(push, alpha=12.0 * h)
        third.div_(1.0 + 12.0 * by.defect)
        error = third * by.defect
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
