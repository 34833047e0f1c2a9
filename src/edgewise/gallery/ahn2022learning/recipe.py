"""A neuron, its bias in a model of two numbers, and a ReLU network: each with a step size that decides.

neuron       l(xy) with l convex, even, l''(0) = 1 and l'(s)/s = 1 − c s² + …
mean model   A' = A − 2ηd l'(s) g(b),  b' = b − ηd l'(s) A g'(b),  s = d A g(b)
             with l'(s) = tanh(s/2)/2 and g(b) = E max(z + b, 0), z normal
network      f(x) = a⁻ Σ max(−xᵢ + b, 0) + a⁺ Σ max(xᵢ + b, 0), in `network.py`
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr

from edgewise.gallery.ahn2022learning.network import MEASURED, train
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

SLOPES: Mapping[str, tuple[Callable[[Reals], Reals], float]] = {
    "log cosh s": (np.tanh, 1 / 3),
    "√(1 + s²)": (lambda s: s / np.sqrt(1 + s**2), 1 / 2),
    "4 log cosh(s/2)": (lambda s: 2 * np.tanh(s / 2), 1 / 12),
}
"""l' and the c of l'(s)/s = 1 − c s² + …, by l."""

SHARES = (0.5, 0.7, 0.9, 1.5, 2.0, 2.5)
"""Where neurons start: y₀² − x₀² as a share of 2/η; below 1 is the regime of gradient flow."""

_X0 = 0.1
_STEP_SIZES = {
    Scale.SMOKE: (0.1, 0.05, 0.02),
    Scale.LAPTOP: (0.1, 0.05, 0.02, 0.01),
    Scale.PAPER: (0.1, 0.05, 0.02, 0.01),
}
# Next to the end x shrinks by the share η²/(2c), which is η² or more, a step: in 25/η² steps by e⁻²⁵.
_PATIENCE = 25
_SHOWN_STEP_SIZE, _SHOWN_STEPS = 0.05, 2000

WIDTHS = (200, 400, 800)
RATIOS = (0.5, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Step sizes of the mean model in units of its threshold 8π/d²."""

# The first output, d A₀ g(0), is the same for all widths.
_OUTPUT = 10.0
_MEAN_STEPS = {Scale.SMOKE: 20_000, Scale.LAPTOP: 200_000, Scale.PAPER: 200_000}

NETWORK_RATIOS = {
    Scale.SMOKE: (0.4, 0.95, 1.3, 2.0, 4.0, 8.0),
    Scale.LAPTOP: (0.4, 0.7, 0.95, 1.05, 1.3, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0),
    Scale.PAPER: (0.4, 0.7, 0.95, 1.05, 1.3, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0),
}


def single_neuron(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Three losses from below and from above the threshold, to the end."""
    return {
        "ends": Computation(neuron_ends, {"step_sizes": _STEP_SIZES[scale]}),
        "paths": Computation(neuron_paths),
    }


def mean_model(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Three widths on both sides of the threshold, to the end."""
    return {"ends": Computation(mean_ends, {"steps": _MEAN_STEPS[scale]})}


def network(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """One data set and one start, for step sizes on both sides of the threshold, for the same time."""
    return {"network": Computation(train, {"ratios": NETWORK_RATIOS[scale], "measured": MEASURED, "seed": seed})}


def neuron_ends(step_sizes: tuple[float, ...]) -> xr.Dataset:
    """y² at the end, by loss, step size and start, and how far from a minimum it is."""
    ends = np.empty((len(SLOPES), len(step_sizes), len(SHARES)))
    left = np.empty_like(ends)
    for i, (slope, _) in enumerate(SLOPES.values()):
        for j, eta in enumerate(step_sizes):
            x, y = iterate(neuron_step(slope, eta), (_X0, _start(eta)), math.ceil(_PATIENCE / eta**2))
            ends[i, j], left[i, j] = y**2, np.abs(x)
    over = ("loss", "step_size", "share")
    return xr.Dataset(
        {"sharpness": (over, ends), "left": (over, left)},
        coords={"loss": list(SLOPES), "step_size": list(step_sizes), "share": list(SHARES)},
    )


def neuron_paths() -> xr.Dataset:
    """y² along the way, for the first loss."""
    slope, _ = next(iter(SLOPES.values()))
    step = neuron_step(slope, _SHOWN_STEP_SIZE)
    _, y = iterate(step, (_X0, _start(_SHOWN_STEP_SIZE)), _SHOWN_STEPS, every=1)
    return xr.Dataset(
        {"square": (("step", "share"), y**2)},
        coords={"step": np.arange(_SHOWN_STEPS + 1), "share": list(SHARES)},
        attrs={"step_size": _SHOWN_STEP_SIZE},
    )


def neuron_step(slope: Callable[[Reals], Reals], eta: float) -> Callable[[Reals, Reals], tuple[Reals, Reals]]:
    """A step of gradient descent on l(xy)."""

    def step(x: Reals, y: Reals) -> tuple[Reals, Reals]:
        force = eta * slope(x * y)
        return x - force * y, y - force * x

    return step


def _start(eta: float) -> Reals:
    """The y₀ of every share."""
    return np.sqrt(np.array(SHARES) * 2 / eta + _X0**2)


def mean_ends(steps: int) -> xr.Dataset:
    """The bias at the end, by width and step size, where theory has it, and what is left of A."""
    width = np.repeat(np.array(WIDTHS, dtype=np.float64)[:, None], len(RATIOS), axis=1)
    eta = np.array(RATIOS) * 8 * np.pi / width**2
    A, b, _, _ = iterate(mean_step, (_OUTPUT / width, 0.0, eta, width), steps)
    over = ("width", "ratio")
    return xr.Dataset(
        {
            "bias": (over, b),
            "predicted": (over, stable_bias(eta, width)),
            "left": (over, np.abs(A)),
            "eta": (over, eta),
        },
        coords={"width": list(WIDTHS), "ratio": list(RATIOS)},
    )


def mean_step(A: Reals, b: Reals, eta: Reals, d: Reals) -> tuple[Reals, Reals, Reals, Reals]:
    """A step of gradient descent on the mean model; the step size and the width go along."""
    g = rectified_mean(b)
    slope = np.tanh(d * A * g / 2) / 2
    return A - 2 * eta * d * slope * g, b - eta * d * slope * A * ndtr(b), eta, d


def rectified_mean(b: Reals) -> Reals:
    """g(b) = E max(z + b, 0) for a normal z."""
    return np.asarray(np.exp(-(b**2) / 2) / math.sqrt(2 * math.pi) + b * ndtr(b))


def stable_bias(eta: Reals, d: Reals) -> Reals:
    """The largest bias b ≤ 0 at which A = 0 is stable: 0, or the root of g(b) = 2/(d√η), by bisection."""
    goal = 2 / (d * np.sqrt(eta))
    low, high = np.full_like(goal, -8.0), np.zeros_like(goal)
    for _ in range(60):
        middle = (low + high) / 2
        above = rectified_mean(middle) > goal
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return high
