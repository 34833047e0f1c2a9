"""l(xy) with l = log cosh in the coordinates p = xy and q = 2/(η (x² + y²)), and its fast map at a frozen q.

With r(p) = l'(p)/p a step of gradient descent is p' = (1 − 2r(p)/q) p + O(η): p jumps between ±p with r(p) = q,
and q follows slowly. At a minimum p is 0, q is 2/(η × sharpness), and 1 is the edge.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

STEP_SIZES = (2 / 16, 0.05)
STARTS = ((0.1, 1.3), (0.5, 1.6), (1.0, 2.0), (0.2, 1.15), (0.5, 0.8))
"""x₀, and y₀² in units of 2/η: four starts beyond the edge, and one below."""

# Next to the end p shrinks by the share 3η²/2 a step: in 30/η² steps by e⁻⁴⁵.
_PATIENCE = 30

CURVATURE = 2 / 3
"""−r''(0) of log cosh."""

FROZEN = tuple(float(q) for q in np.linspace(0.3, 0.98, 69))
_WARM, _KEPT, _ASIDE = {Scale.SMOKE: 2000, Scale.LAPTOP: 20_000, Scale.PAPER: 20_000}, 16, 1e-3


def alignment(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Two step sizes from five starts, to the end."""
    return {f"{eta:g}": Computation(trajectories, {"eta": eta}) for eta in STEP_SIZES}


def fast_map(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The frozen map for many q: for log cosh, and for an l that is not convex."""
    return {
        name: Computation(cycles, {"name": name, "q": FROZEN, "warm": _WARM[scale]})
        for name in ("log cosh p", "1 − exp(−p²/2)")
    }


def trajectories(eta: float) -> xr.Dataset:
    """p and q along gradient descent on log cosh(xy), and q ÷ r(p)."""
    x0, shares = np.array(STARTS).T
    x, y = iterate(descent(eta), (x0, np.sqrt(shares * 2 / eta)), math.ceil(_PATIENCE / eta**2), every=1)
    p, q = x * y, 2 / (eta * (x**2 + y**2))
    over = ("step", "start")
    return xr.Dataset(
        {
            "p": (over, p),
            "q": (over, q),
            "aligned": (over, q / log_cosh_ratio(p)),
            "sharpness": ("start", (x**2 + y**2)[-1]),
        },
        coords={"step": np.arange(len(p)), "start": shares},
        attrs={"step_size": eta},
    )


def descent(eta: float) -> Callable[[Reals, Reals], tuple[Reals, Reals]]:
    """A step of gradient descent on log cosh(xy)."""

    def step(x: Reals, y: Reals) -> tuple[Reals, Reals]:
        slope = eta * np.tanh(x * y)
        return x - slope * y, y - slope * x

    return step


def log_cosh_ratio(p: Reals) -> Reals:
    """r(p) = tanh(p)/p, and 1 at 0."""
    safe = np.where(p == 0, 1.0, p)
    return np.where(p == 0, 1.0, np.tanh(safe) / safe)


def gaussian_ratio(p: Reals) -> Reals:
    """r(p) = exp(−p²/2), that of l = 1 − exp(−p²/2)."""
    return np.asarray(np.exp(-(p**2) / 2))


RATIOS: Mapping[str, Callable[[Reals], Reals]] = {"log cosh p": log_cosh_ratio, "1 − exp(−p²/2)": gaussian_ratio}


def cycles(name: str, q: tuple[float, ...], warm: int) -> xr.Dataset:
    """The last iterates of p' = (1 − 2r(p)/q) p for every q, and how fast the cycle ±p with r(p) = q draws near.

    The speed is measured: a start a little beside the cycle, and how far from it the next one is.
    """
    ratio, frozen = RATIOS[name], np.array(q)
    cycle = inverse(ratio, frozen)

    def step(p: Reals, q: Reals) -> tuple[Reals, Reals]:
        return (1 - 2 * ratio(p) / q) * p, q

    p, _ = iterate(step, (0.9 * cycle, frozen), warm)
    last, _ = iterate(step, (p, frozen), _KEPT, every=1)
    beside, back = (step(cycle * (1 + sign * _ASIDE), frozen)[0] for sign in (1, -1))
    # Over both sides the second order cancels.
    speed = np.abs(beside - back) / (2 * _ASIDE * cycle)
    return xr.Dataset(
        {"p": (("step", "q"), last), "cycle": ("q", cycle), "speed": ("q", speed)},
        coords={"step": np.arange(_KEPT + 1), "q": frozen},
    )


def inverse(ratio: Callable[[Reals], Reals], q: Reals) -> Reals:
    """The p > 0 with r(p) = q, by bisection: r falls from 1 to 0."""
    low, high = np.zeros_like(q), np.full_like(q, 10.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = ratio(middle) > q
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2
