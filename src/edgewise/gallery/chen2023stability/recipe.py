"""Quadratic regression, of which one cubic map remains.

A sample with input x and label y, and the model f = (γ/2)⟨w, x⟩² under the loss (f − y)²/2. With the residual
and the label in units of the step size, z = ηγ‖x‖²(f − y) and a = ηγ‖x‖²y, gradient descent is

    z' = (z + a)(1 − z)² − a = z³ + (a − 2) z² + (1 − 2a) z

whatever the number of neurons, as all outputs of a quadratic network are multiplied by the same 1 − z. Samples
that are orthogonal to each other do not see each other: each has a map, and a phase, of its own.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

MONOTONE, CATAPULT, PERIODIC, CHAOTIC, DIVERGENT = range(5)

_STARTS = {Scale.SMOKE: 40, Scale.LAPTOP: 200, Scale.PAPER: 200}
_STEPS = {Scale.SMOKE: 4000, Scale.LAPTOP: 10000, Scale.PAPER: 10000}
_SIZES = {Scale.SMOKE: 64, Scale.LAPTOP: 192, Scale.PAPER: 192}
_WINDOW = 256
_ESCAPED = 10.0
_GENERIC_STARTS = 8
# The longest period that is called one.
_LONGEST = 64


def bifurcation(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Every a up to past divergence from starts all over the invariant interval; the superstable cycles."""
    return {
        "sweep": Computation(sweep, {"starts": _STARTS[scale], "steps": _STEPS[scale]}),
        "doublings": Computation(doublings, {"cycles": 8}),
    }


def network(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A network of quadratic neurons on orthogonal samples, and on samples that are not."""
    return {
        "orthogonal": Computation(orthogonal, {"seed": seed, "steps": 400}),
        "generic": Computation(generic, {"seed": seed, "sizes": _SIZES[scale], "steps": 4000}),
    }


def cubic(z: Reals, a: Reals | float) -> Reals:
    """z' = (z + a)(1 − z)² − a."""
    return np.asarray((z + a) * (1 - z) ** 2 - a)


def slope(z: Reals, a: Reals | float) -> Reals:
    """dz'/dz = (z − 1)(3z + 2a − 1)."""
    return np.asarray((z - 1) * (3 * z + 2 * a - 1))


def sweep(starts: int, steps: int) -> xr.Dataset:
    """For each a, whether any loss rises, where the starts end, how many escape, and the Lyapunov exponent."""
    a = np.arange(0.5, 2.1 + 1e-9, 0.002)
    inside = (np.arange(2000) + 0.5) / 2000
    dense = -a[:, None] + (2 + a[:, None]) * inside
    rises = (np.abs(cubic(dense, a[:, None])) > np.abs(dense)).any(1)
    z = -a[:, None] + (2 + a[:, None]) * inside[:: 2000 // starts]
    z, _ = iterate(lambda z, a: (cubic(z, a), a), (z, a[:, None]), steps)
    z, _, growth = iterate(
        lambda z, a, growth: (cubic(z, a), a, growth + np.log(np.abs(slope(z, a)))),
        (z, a[:, None], 0.0),
        steps // 2,
    )
    escaped = ~(np.abs(z) < _ESCAPED)
    orbit, _ = iterate(lambda z, a: (cubic(z, a), a), (z[:, 0], a), _WINDOW, every=1)
    kept = np.where(np.abs(orbit) < _ESCAPED, orbit, np.nan)
    return xr.Dataset(
        {
            "rises": ("a", rises.astype(np.int64)),
            "escaped": ("a", escaped.mean(1)),
            "amplitude": ("a", np.median(np.where(escaped, np.inf, np.abs(z)), axis=1)),
            "exponent": ("a", np.median(np.where(escaped, np.inf, growth / (steps // 2)), axis=1)),
            "orbit": (("kept", "a"), kept),
        },
        coords={"a": a},
    )


def doublings(cycles: int) -> xr.Dataset:
    """The a at which the cycles of period 2, 4, 8 … hold the critical point (1 − 2a)/3, by the secant method."""
    found = [_superstable(2, 1.1, 1.15), _superstable(4, 1.25, 1.27)]
    while len(found) < cycles:
        guess = found[-1] + (found[-1] - found[-2]) / 4.67
        period = 2 ** (len(found) + 1)
        found.append(_superstable(period, guess, guess + 1e-3 * (guess - found[-1])))
    return xr.Dataset({"a": ("cycle", np.array(found))}, coords={"cycle": np.arange(1, cycles + 1)})


def _superstable(period: int, low: float, high: float) -> float:
    def miss(a: float) -> float:
        critical = (1 - 2 * a) / 3
        z = critical
        for _ in range(period):
            z = (z + a) * (1 - z) ** 2 - a
        return z - critical

    before, a = low, high
    for _ in range(60):
        rise = miss(a) - miss(before)
        if rise == 0:
            break
        before, a = a, a - miss(a) * (a - before) / rise
        if abs(a - before) < 1e-15:
            break
    return a


def orthogonal(seed: int, steps: int) -> xr.Dataset:
    """Residuals z of four orthogonal samples with an a each, in a network of eight quadratic neurons."""
    a = np.array([0.5, 0.95, 1.15, 1.7])
    rng = np.random.default_rng(derive_seed(seed, "chen2023stability", "orthogonal"))
    inputs = np.linalg.qr(rng.standard_normal((6, 6)))[0][:, :4].T
    weights = 0.3 * rng.standard_normal((8, 6))
    # With ‖x‖ = γ = 1 and the step size η = 1 per sample, a is the label.
    kept = []
    for _ in range(steps + 1):
        z = residuals(weights, inputs, a)
        kept.append(z)
        weights = weights - gradient(weights, inputs, a)
    series = np.stack(kept)
    miss = np.abs(series[1:] - cubic(series[:-1], a))
    return xr.Dataset(
        {"z": (("step", "sample"), series), "miss": ("sample", miss.max(0))},
        coords={"step": np.arange(steps + 1), "sample": a},
    )


def generic(seed: int, sizes: int, steps: int) -> xr.Dataset:
    """The phase of gradient descent at each step size, from several starts, on samples that are not orthogonal."""
    rng = np.random.default_rng(derive_seed(seed, "chen2023stability", "generic"))
    inputs = rng.standard_normal((4, 12)) / np.sqrt(12)
    labels = np.ones(4)
    eta = np.linspace(0.02, 1.7, sizes)
    weights = np.tile(rng.standard_normal((_GENERIC_STARTS, 1, 12)), (sizes, 1, 1, 1))
    losses = np.full((steps, sizes, _GENERIC_STARTS), np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            losses[t] = (residuals(weights, inputs, labels) ** 2).sum(-1) / 2
            weights = weights - eta[:, None, None, None] * gradient(weights, inputs, labels)
    phase = np.array([_phase(losses[:, i]) for i in range(sizes)])
    stays = losses[-_WINDOW:].mean(0)
    mean = np.median(np.where(np.isfinite(stays), stays, np.inf), axis=1)
    return xr.Dataset({"phase": ("step_size", phase), "loss": ("step_size", mean)}, coords={"step_size": eta})


def _phase(losses: Reals) -> int:
    """What most of the curves of the loss look like; a single one that rises on its way down makes a catapult."""
    end = losses[-_WINDOW:]
    if np.mean(~(end < _ESCAPED).all(0)) > 0.5:
        return DIVERGENT
    if (end < 1e-12).all():
        return CATAPULT if ((np.diff(losses, axis=0) > 0) & (losses[:-1] > 1e-12)).any() else MONOTONE
    kept = end[:, (end < _ESCAPED).all(0)]
    apart = np.min([np.abs(kept[p:] - kept[:-p]).max(0) for p in range(1, _LONGEST + 1)], axis=0)
    return PERIODIC if np.mean(apart < 1e-6 * kept.max(0)) > 0.5 else CHAOTIC


def residuals(weights: Reals, inputs: Reals, labels: Reals) -> Reals:
    """½ Σⱼ ⟨wⱼ, x⟩² − y for each sample."""
    return np.asarray(0.5 * ((weights @ inputs.T) ** 2).sum(-2) - labels)


def gradient(weights: Reals, inputs: Reals, labels: Reals) -> Reals:
    """Of ½ Σ (f − y)² over the samples."""
    return np.asarray((weights @ inputs.T * residuals(weights, inputs, labels)[..., None, :]) @ inputs)
