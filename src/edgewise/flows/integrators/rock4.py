"""Stabilised Runge–Kutta of order four: fewer, longer steps than RKC2 where more than two digits are wanted."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.flows.integrators.chebyshev4 import FEWEST, coefficients
from edgewise.flows.integrators.integrator import Stabilized, Trial, VectorField, require_stages
from edgewise.foundation import Vector


@final
@dataclass(frozen=True, slots=True)
class ROCK4(Stabilized):
    """An orthogonal Runge–Kutta–Chebyshev method of fourth order.

    A three-term recurrence of s − 4 stages, then four of a Runge–Kutta method that completes the order:

        D₀ = 0,   D_{j+1} = M_j D_j + N_j D_{j−1} + κ_j h F(y + D_j),     j = 0 … s − 5
        E_i = D_{s−4} + Σ_{l<i} a_il h F(y + E_l),    i = 1 … 4
        y(t + h) = y + D_{s−4} + Σ b_i h F(y + E_i)

    The stability polynomial is bounded by one on the negative real axis down to about −0.345 s². The local error
    is estimated by h Σ e_i F_i over the last four stages and the step's end, which vanishes to third order.
    The coefficients are solved for when a number of stages is first asked for.

    Order 4; s ≥ 5 gradients a step, that at its end included.

    Args:
        max_stages: the most stages of one step; longer steps are not taken.

    Raises:
        SettingError: if `max_stages` is below five.

    Example:
        >>> ROCK4().stages(100.0)
        18

    References:
        abdulle2002fourth
    """

    max_stages: int = 150

    def __post_init__(self) -> None:
        require_stages(self.max_stages, FEWEST, "a step of fourth order takes five")

    @property
    def order(self) -> int:
        """4."""
        return 4

    def reach(self, stages: int) -> float:
        """How far down the negative real axis a step of so many stages is stable."""
        return coefficients(stages).reach

    def stages(self, stiffness: float) -> int:
        """The fewest stages that are stable where the step times the spectral radius is `stiffness`."""
        # The reach lies a little below 0.347 s² − 2.9: start there and count up.
        s = max(FEWEST, math.floor(math.sqrt((max(0.0, stiffness) + 2.9) / 0.347)))
        while self.reach(s) < stiffness:
            s += 1
        return s

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
        recurrence, finish, weights, estimate, _ = coefficients(stages)
        before, now, F = torch.zeros_like(y), torch.zeros_like(y), velocity
        for M, N, κ in recurrence:
            now, before = before.mul_(N).add_(now, alpha=M).add_(F, alpha=κ * h), now
            F = field.at(y + now).velocity
        velocities = [F]
        for row in finish[1:]:
            velocities.append(field.at(y + _combined(now, row, velocities, h)).velocity)
        displacement = _combined(now, weights, velocities, h)
        end = field.at(y + displacement, curvature=True)
        error = _combined(torch.zeros_like(y), estimate, [*velocities, end.velocity], h)
        return Trial(displacement=displacement, end=end, evaluations=stages, error=error, error_order=4)


def _combined(base: Tensor, row: tuple[float, ...], velocities: list[Tensor], h: float) -> Tensor:
    """base + h Σ row_i velocities_i, in a new tensor."""
    total = base.clone()
    for weight, velocity in zip(row, velocities, strict=True):
        total.add_(velocity, alpha=weight * h)
    return total
