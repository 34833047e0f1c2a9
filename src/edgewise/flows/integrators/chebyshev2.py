"""The Chebyshev recurrence of second order, shared by the methods that are built on it."""

import math
from functools import lru_cache
from typing import NamedTuple

import torch

from edgewise.flows.integrators.integrator import VectorField
from edgewise.foundation import Vector

_DAMPING = 2.0 / 13.0  # ε: keeps |R| about 5 % below one inside the interval


class Coefficients(NamedTuple):
    """One step of s stages.

    Attributes:
        first: b₁ w₁.
        recurrence: (μ, ν, μ̃, γ̃) for j = 2 … s.
        reach: how far down the negative real axis the step is stable.
        defect: C of the local error C h³ y''', on a linear equation.
    """

    first: float
    recurrence: tuple[tuple[float, float, float, float], ...]
    reach: float
    defect: float


@lru_cache(maxsize=256)
def coefficients(s: int) -> Coefficients:
    """Of the method with s ≥ 2 stages; the equations are in `RKC2`."""
    w0 = 1.0 + _DAMPING / s**2
    T, dT, d2T, d3T = [1.0, w0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]
    for _ in range(2, s + 1):
        d3T.append(6.0 * d2T[-1] + 2.0 * w0 * d3T[-1] - d3T[-2])
        d2T.append(4.0 * dT[-1] + 2.0 * w0 * d2T[-1] - d2T[-2])
        dT.append(2.0 * T[-1] + 2.0 * w0 * dT[-1] - dT[-2])
        T.append(2.0 * w0 * T[-1] - T[-2])
    w1 = dT[s] / d2T[s]
    b = [0.0, 0.0, *(d2T[j] / dT[j] ** 2 for j in range(2, s + 1))]
    b[0] = b[1] = b[2]
    a = [1.0 - b[j] * T[j] for j in range(s + 1)]
    recurrence = []
    for j in range(2, s + 1):
        μ_tilde = 2.0 * b[j] * w1 / b[j - 1]
        recurrence.append((2.0 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], μ_tilde, -a[j - 1] * μ_tilde))
    defect = (1.0 - b[s] * d3T[s] * w1**3) / 6.0
    return Coefficients(b[1] * w1, tuple(recurrence), (w0 + 1.0) / w1, defect)


def fewest(stiffness: float) -> int:
    """The fewest stages that are stable where the step times the spectral radius is `stiffness`."""
    # The reach lies between 0.65 (s² − 1) and a little more: start below and count up.
    s = max(2, math.floor(math.sqrt(1.0 + max(0.0, stiffness) / 0.67)))
    while coefficients(s).reach < stiffness:
        s += 1
    return s


def recur(
    field: VectorField, y: Vector, velocity: Vector, h: float, by: Coefficients, push: Vector | None = None
) -> Vector:
    """The displacement of a step of y' = f(y) + push."""
    F0 = velocity if push is None else velocity + push
    before, now = torch.zeros_like(y), F0 * (by.first * h)
    for μ, ν, μ_tilde, γ_tilde in by.recurrence:
        F = field.at(y + now).velocity
        now, before = before.mul_(ν).add_(now, alpha=μ).add_(F, alpha=μ_tilde * h), now
        now.add_(F0, alpha=γ_tilde * h)
        if push is not None:
            now.add_(push, alpha=μ_tilde * h)
    return now
