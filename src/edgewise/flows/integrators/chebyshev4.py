"""The coefficients of a stabilised method of order four, from its defining equations.

Its stability polynomial is R(z) = W(z) P(z). W has degree four and two pairs of complex zeros; P has degree s − 4
and is orthogonal for the weight w(x)²/√(1 − x²), where w(x) = W and x = x₀ + κ z maps the interval of stability to
[−1, 1]: by Bernstein's theorem w P then has nearly equal ripples, and as an orthogonal polynomial P comes with a
three-term recurrence, which is what keeps many stages from amplifying rounding. Five numbers are free (the two
pairs of zeros, and x₀); four equations fix them up to a shift along x that hardly changes R:

    R'(0) = R''(0) = R'''(0) = R''''(0) = 1,     |R| = 0.78 at the far end

(the first of them gives κ). The recurrence is then continued by a four-stage Runge–Kutta method with stability
polynomial W, chosen so that both together satisfy the eight conditions of order four. This is the idea of Abdulle
and Medovikov; the coefficients are solved for here, not taken from their tables.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, fsolve

Array = NDArray[np.float64]
Row = tuple[float, float, float]

FEWEST = 5  # one stage of the recurrence and four of the finish

_RIPPLE = 0.78  # |R| at the far end; the largest ripple is then 0.94
_SHIFT = -2.3
_START = (20.6, 10.4, 7.6, 4.0)  # at s = 20; nearly the same for all s


class Coefficients(NamedTuple):
    """One step of s stages.

    Attributes:
        recurrence: (M, N, κ) of D_{j+1} = M D_j + N D_{j−1} + κ h F_j, for j = 0 … s − 5.
        finish: a of the four last stages, row by row.
        weights: b of those.
        estimate: weights of the error estimate, on h F of the last four stages and of the step's end.
        reach: how far down the negative real axis the step is stable.
    """

    recurrence: tuple[Row, ...]
    finish: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    estimate: tuple[float, ...]
    reach: float


@lru_cache(maxsize=256)
def coefficients(s: int) -> Coefficients:
    """Of the method with s ≥ 5 stages."""
    solution = fsolve(lambda unknown: _conditions(s, unknown), _START, xtol=1e-13)
    shape = _Shape(s, solution)
    α, β = shape.recurrence()
    jets = _jets(α, β, shape.x0)
    κ = 1.0 / _taylor(shape, jets)[1]
    at_start = np.array([jet[0] for jet in jets])
    recurrence = []
    for j in range(s - 4):
        scale = 1.0 / (β[j] * at_start[j + 1])
        before = β[j - 1] * at_start[j - 1] * scale if j else 0.0
        recurrence.append((1.0 + before, -before, κ * at_start[j] * scale))
    reach = (shape.x0 + 1.0) / κ
    a, b = _finish(_Weights(*_walk(recurrence, np.zeros((0, 0)), np.zeros(0), _tree, 8)[0]))
    estimate = _estimate(recurrence, a, b)
    finish = tuple(tuple(map(float, row[:i])) for i, row in enumerate(a))
    return Coefficients(tuple(recurrence), finish, tuple(map(float, b)), tuple(map(float, estimate)), reach)


class _Shape:
    """w and x₀: the free numbers, which are nearly independent of s in these units."""

    def __init__(self, s: int, unknown: Array) -> None:
        self.s = s
        b, c, d, x0 = unknown / s**2
        a = _SHIFT / s**2
        # Real parts as distances from 1 and from x₀: differences of numbers near one would cancel.
        self.pairs = ((a, b), (c, d))
        self.x0, self.above = 1.0 + x0, x0

    def w(self, x: Array) -> Array:
        (a, b), (c, d) = self.pairs
        return ((x - 1.0 + a) ** 2 + b * b) * ((x - 1.0 + c) ** 2 + d * d)

    def jet(self) -> Array:
        """The Taylor coefficients of w at x₀."""
        first, second = (
            np.array([(a + self.above) ** 2 + b * b, 2.0 * (a + self.above), 1.0]) for a, b in self.pairs
        )
        return np.convolve(first, second)

    def recurrence(self) -> tuple[Array, Array]:
        """α, β of x p_j = β_j p_{j+1} + α_j p_j + β_{j−1} p_{j−1}, by Stieltjes' procedure on exact quadrature."""
        x = np.cos((np.arange(self.s + 4) + 0.5) * np.pi / (self.s + 4))
        weight = self.w(x) ** 2
        weight /= weight.sum()
        α, β = np.zeros(self.s - 4), np.zeros(self.s - 4)
        before, now = np.zeros_like(x), np.ones_like(x)
        for j in range(self.s - 4):
            α[j] = weight @ (x * now * now)
            after = (x - α[j]) * now - (β[j - 1] if j else 0.0) * before
            β[j] = np.sqrt(weight @ (after * after))
            before, now = now, after / β[j]
        return α, β


def _jets(α: Array, β: Array, x: float) -> list[Array]:
    """Taylor coefficients up to the fourth of p_0 … p_{s−4} at x."""
    jets = [np.array([1.0, 0.0, 0.0, 0.0, 0.0])]
    for j in range(len(α)):
        after = (x - α[j]) * jets[j]
        after[1:] += jets[j][:-1]
        if j:
            after -= β[j - 1] * jets[j - 1]
        jets.append(after / β[j])
    return jets


def _taylor(shape: _Shape, jets: list[Array]) -> Array:
    """The Taylor coefficients of R at x₀."""
    product = np.convolve(shape.jet(), jets[-1])[:5]
    return product / product[0]


def _conditions(s: int, unknown: Array) -> Array:
    shape = _Shape(s, unknown)
    α, β = shape.recurrence()
    jets = _jets(α, β, shape.x0)
    R = _taylor(shape, jets)
    far = _jets(α, β, -1.0)[-1][0] * shape.w(np.array([-1.0]))[0] / (jets[-1][0] * shape.jet()[0])
    return np.array(
        [
            2.0 * R[2] / R[1] ** 2 - 1.0,
            6.0 * R[3] / R[1] ** 3 - 1.0,
            24.0 * R[4] / R[1] ** 4 - 1.0,
            abs(far) - _RIPPLE,
        ]
    )


class _Weights(NamedTuple):
    """The elementary weights of a displacement, by tree: •, [•], [••], [[•]], [•••], [•[•]], [[••]], [[[•]]]."""

    t1: float
    t2: float
    t31: float
    t32: float
    t41: float
    t42: float
    t43: float
    t44: float


_EXACT = _Weights(1, 1 / 2, 1 / 3, 1 / 6, 1 / 4, 1 / 8, 1 / 12, 1 / 24)


def _tree(displacement: Array) -> Array:
    """The elementary weights of h F, where a displacement has these."""
    t1, t2, t31, t32 = displacement[:4]
    return np.array([1.0, t1, t1**2, t2, t1**3, t1 * t2, t31, t32])


def _walk(recurrence: list[Row], a: Array, b: Array, velocity: Callable[[Array], Array], size: int) -> list[Array]:
    """The step with another arithmetic: D_{s−4}, then h F of the last stages and, where there are, of the end."""
    before = now = np.zeros(size)
    for M, N, κ in recurrence:
        before, now = now, M * now + N * before + κ * velocity(now)
    stages: list[Array] = []
    for row in [*a, *([b] if len(b) else [])]:
        stages.append(velocity(now + sum((x * F for x, F in zip(row, stages, strict=False)), np.zeros(size))))
    return [now, *stages]


def _finish(α: _Weights) -> tuple[Array, Array]:
    """The four stages, a and b, that make the whole of order four."""
    rest = np.array(_EXACT) - np.array(α)
    c2, c3 = rest[0] / 3.0, 2.0 * rest[0] / 3.0  # as in Kutta's 3/8 rule

    def stages(c4: float) -> tuple[float, Array, Array]:
        """By how much the last condition is missed, a and b, where the third to last node is c4."""
        c = np.array([0.0, c2, c3, c4])
        γ = α.t1 + c
        b = np.linalg.solve(np.vander(γ, increasing=True).T, rest[[0, 1, 2, 4]])
        known2 = α.t2 + c * α.t1
        X, Y = np.linalg.solve(
            np.array([[b[2], b[3]], [γ[2] * b[2], γ[3] * b[3]]]),
            [rest[3] - b @ known2, rest[5] - b @ (γ * known2)],
        )
        g2, g3 = γ[1] ** 2 - α.t1**2, γ[2] ** 2 - α.t1**2
        a32 = X / c2
        miss = rest[6] - b @ (α.t31 + c * α.t1**2) - b[2] * a32 * g2
        a42, a43 = np.linalg.solve(np.array([[c2, c3], [g2, g3]]), [Y, miss / b[3]])
        a = np.zeros((4, 4))
        a[1, 0] = c2
        a[2, :2] = c3 - a32, a32
        a[3, :3] = c4 - a42 - a43, a42, a43
        t2 = α.t2 + a @ γ
        return float(b @ (α.t32 + a @ t2) - rest[7]), a, b

    c4 = _root(lambda c4: stages(c4)[0], rest[0])
    _, a, b = stages(c4)
    return a, b


def _estimate(recurrence: list[Row], a: Array, b: Array) -> Array:
    """The weights that vanish to third order, scaled to h⁴/24 times the fourth derivative on a linear equation.

    The end of the step has a large share in it: it sees what the step has done to stiff modes. An estimate that
    is small for those lets steps grow until the next ones have to be refused.
    """
    trees = np.array(_walk(recurrence, a, b, _tree, 8)[1:])
    e = np.linalg.svd(trees[:, :4].T)[2][-1]
    return e / (24.0 * (e @ trees[:, 7]))


def _root(function: Callable[[float], float], near: float) -> float:
    """The root next to `near`, among those that are no poles."""
    grid = near * np.linspace(0.8, 1.3, 101)
    values = [function(x) for x in grid]
    found = [i for i in range(100) if values[i] * values[i + 1] <= 0.0 and abs(values[i] - values[i + 1]) < 1.0]
    i = min(found, key=lambda i: abs(grid[i] - near))
    return float(brentq(function, grid[i], grid[i + 1], xtol=1e-15))
