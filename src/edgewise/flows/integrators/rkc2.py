"""Runge–Kutta–Chebyshev of order two: s gradients reach as far as 0.65 s², so many small steps become one."""

from dataclasses import dataclass
from typing import final

from edgewise.flows.integrators.chebyshev2 import coefficients, fewest, recur
from edgewise.flows.integrators.integrator import Stabilized, Trial, VectorField, require_stages
from edgewise.foundation import Vector


@final
@dataclass(frozen=True, slots=True)
class RKC2(Stabilized):
    """The Runge–Kutta–Chebyshev method of second order.

    With Chebyshev polynomials T_j at w₀ = 1 + ε/s², ε = 2/13, w₁ = T_s'(w₀)/T_s''(w₀), b_j = T_j''/T_j'²
    (b₀ = b₁ = b₂) and a_j = 1 − b_j T_j, the displacements D_j = Y_j − y from the step's start are

        D₀ = 0,   D₁ = b₁ w₁ h F₀
        D_j = μ_j D_{j−1} + ν_j D_{j−2} + μ̃_j h F_{j−1} + γ̃_j h F₀
        μ_j = 2 b_j w₀/b_{j−1},  ν_j = −b_j/b_{j−2},  μ̃_j = 2 b_j w₁/b_{j−1},  γ̃_j = −a_{j−1} μ̃_j

    and y(t + h) = y + D_s. The stability polynomial is R(z) = a_s + b_s T_s(w₀ + w₁ z), bounded by one down to
    z = −(w₀ + 1) T_s''/T_s' ≈ −0.65 s²: the number of stages s follows from h times the spectral radius.
    The local error is estimated from both ends: −0.8 D_s + 0.4 h (F₀ + F(y + D_s)).

    Written for the displacements rather than for the Y_j, because rounding grows like s² along the recurrence,
    and D_j is small where Y_j is not: in single precision that is what limits the accuracy otherwise.

    Order 2; s gradients a step, that at its end included.

    Args:
        max_stages: the most stages of one step; longer steps are not taken.

    Raises:
        SettingError: if `max_stages` is below two.

    Example:
        >>> RKC2().stages(100.0)
        13

    References:
        sommeijer1997rkc
    """

    max_stages: int = 150

    def __post_init__(self) -> None:
        require_stages(self.max_stages, 2, "a step of second order takes two")

    @property
    def order(self) -> int:
        """2."""
        return 2

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
        """One step, with as many stages as `h` times `radius` asks for."""
        stages = min(self.max_stages, self.stages(h * radius))
        displacement = recur(field, y, velocity, h, coefficients(stages))
        end = field.at(y + displacement, curvature=True)
        error = (velocity + end.velocity).mul_(0.4 * h).add_(displacement, alpha=-0.8)
        return Trial(displacement=displacement, end=end, evaluations=stages, error=error, error_order=3)
