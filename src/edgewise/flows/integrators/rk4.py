"""The classical fourth-order Runge–Kutta method, at the step α/S: the reference of cohen2021gradient."""

import math
from dataclasses import dataclass
from typing import Any, final

from edgewise.flows.integrators.integrator import Integrator, Trial, VectorField
from edgewise.foundation import SettingError, Vector


@final
@dataclass(frozen=True, slots=True)
class RK4(Integrator):
    """The classical Runge–Kutta method, with a step set by stability rather than by accuracy.

        k₁ = f(y),  k₂ = f(y + h k₁/2),  k₃ = f(y + h k₂/2),  k₄ = f(y + h k₃)
        y(t + h) = y + h (k₁ + 2 k₂ + 2 k₃ + k₄)/6,     h = α/S

    Order 4; stable on the negative real axis while h S ≤ 2.785293563, so that α = 1 leaves room for a
    sharpness that rises between its measurements. Four gradients a step.

    Args:
        alpha: α, the step in units of 1/S.

    Raises:
        SettingError: if α is outside (0, 2.785].

    Example:
        >>> RK4().longest(50.0)
        0.02

    References:
        cohen2021gradient
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        alpha: Any = self.alpha
        if not isinstance(alpha, float | int) or isinstance(alpha, bool) or not 0.0 < alpha <= 2.785:
            raise SettingError(
                f"alpha={alpha!r:.60}",
                "a step of α/S is stable on the negative real axis for 0 < α ≤ 2.785",
                "Type alpha=1.0",
            )

    @property
    def order(self) -> int:
        """4."""
        return 4

    @property
    def reading_every(self) -> int:
        """40: ten steps."""
        return 40

    def longest(self, radius: float) -> float:
        """α/S."""
        return self.alpha / radius if radius > 0.0 else math.inf

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
        """One step; what is beyond the equation is the evaluation at its end, the first of the next."""
        k1 = velocity
        k2 = field.at(y.add(k1, alpha=h / 2)).velocity
        k3 = field.at(y.add(k2, alpha=h / 2)).velocity
        k4 = field.at(y.add(k3, alpha=h)).velocity
        displacement = k2.add(k3).mul_(2.0).add_(k1).add_(k4).mul_(h / 6)
        end = field.at(y + displacement, curvature=True)
        return Trial(displacement=displacement, end=end, evaluations=4)
