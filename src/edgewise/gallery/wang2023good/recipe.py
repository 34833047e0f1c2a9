"""l(xy) for five l that are s²/2 near 0 and differ in how they grow: from |s| to exp |s|.

All start next to the minima, where they are alike, with a step size that is the same multiple of 1/S₀.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]
Function = Callable[[Reals], Reals]


@final
@dataclass(frozen=True, slots=True)
class Loss:
    """An even l with l''(0) = 1: its value, slope and curvature, and how it grows."""

    value: Function
    slope: Function
    curvature: Function
    growth: str


LOSSES: Mapping[str, Loss] = {
    "log cosh s": Loss(lambda s: np.logaddexp(s, -s) - math.log(2), np.tanh, lambda s: 1 - np.tanh(s) ** 2, "|s|"),
    "√(1 + s²)": Loss(
        lambda s: np.hypot(1, s) - 1, lambda s: s / np.hypot(1, s), lambda s: np.hypot(1, s) ** -3, "|s|"
    ),
    "s²/2": Loss(lambda s: s**2 / 2, lambda s: s, np.ones_like, "s²"),
    "s²/2 + s⁴/4": Loss(lambda s: s**2 / 2 + s**4 / 4, lambda s: s + s**3, lambda s: 1 + 3 * s**2, "s⁴"),
    "cosh s": Loss(lambda s: np.cosh(s) - 1, np.sinh, np.cosh, "exp |s|"),
}
"""From the best regularity to the worst."""

MULTIPLES = tuple(round(1.5 + 0.1 * i, 1) for i in range(31))
"""η S₀."""

_STARTS = {Scale.SMOKE: 60, Scale.LAPTOP: 500, Scale.PAPER: 500}
_STEPS = 20_000
_LARGEST_Y, _SMALLEST_Y, _LARGEST_S, _SMALLEST_S = 9.0, 6.0, 0.2, 0.02
_CONVERGED = 1e-4


def regularity(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The same starts for every loss."""
    return {name: Computation(ends, {"name": name, "starts": _STARTS[scale], "seed": seed}) for name in LOSSES}


def ends(name: str, starts: int, seed: int) -> xr.Dataset:
    """What has become of every start at every step size; NaN where it did not converge."""
    rng = np.random.default_rng(derive_seed(seed, "wang2023good"))
    y = rng.uniform(_SMALLEST_Y, _LARGEST_Y, starts)
    x = rng.uniform(_SMALLEST_S, _LARGEST_S, starts) * rng.choice([-1.0, 1.0], starts) / y
    loss, multiples = LOSSES[name], np.array(MULTIPLES)
    eta = multiples[:, None] / sharpness(loss, x, y)
    first = loss.value(x * y)
    u, v, _, peak = iterate(descent(loss), (x, y, eta, first), _STEPS)
    with np.errstate(over="ignore", invalid="ignore"):
        converged = np.abs(u * v) < _CONVERGED
        found = {
            "edge_ratio": eta * sharpness(loss, u, v) / 2,
            "imbalance": np.abs(u**2 - v**2) / np.abs(x**2 - y**2),
            "rise": peak / first,
        }
    over = ("multiple", "start")
    return xr.Dataset(
        {name: (over, np.where(converged, values, np.nan)) for name, values in found.items()}
        | {"converged": (over, converged.astype(np.float64)), "step_size": (over, eta)},
        coords={"multiple": multiples},
        attrs={"growth": loss.growth},
    )


def descent(loss: Loss) -> Callable[[Reals, Reals, Reals, Reals], tuple[Reals, Reals, Reals, Reals]]:
    """A step of gradient descent on l(xy); the step size and the largest loss so far go along."""

    def step(x: Reals, y: Reals, eta: Reals, peak: Reals) -> tuple[Reals, Reals, Reals, Reals]:
        slope = eta * loss.slope(x * y)
        x, y = x - slope * y, y - slope * x
        return x, y, eta, np.fmax(peak, loss.value(x * y))

    return step


def sharpness(loss: Loss, x: Reals, y: Reals) -> Reals:
    """The larger eigenvalue of the Hessian of l(xy)."""
    s = x * y
    curvature, slope = loss.curvature(s), loss.slope(s)
    half = curvature * (x**2 + y**2) / 2
    return np.asarray(half + np.hypot(curvature * (y**2 - x**2) / 2, curvature * s + slope))
