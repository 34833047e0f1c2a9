"""Self-stabilisation with noise where α, β and σ are known, and the burst of a mode whose samples disagree.

The gap is measured on the loss of two samples

    f±(x, z) = ½ √β z x² − (α/√β) z ± σ x

Their mean has no noise left; the sharpness at x = 0 is s = √β z, with ∇s = √β along z, and −⟨∇L, ∇s⟩ = α. Gradient
descent on batches of one is, with s = 2/η + y,

    x' = −(1 + ηy) x ∓ ησ,    y' = y + η (α − ½βx²)

exactly: the reduced dynamics of one critical mode, whose noise along the top eigenvector has the variance σ².

The bursts are those of a mode x' = (1 − ηh) x + ηξ, in which the curvature of a batch is a (1 ± r).
"""

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import SelfStabilization, stochastic_sharpness_gap

Reals = NDArray[np.float64]

# α, β, η, and the noise ησ² in units of √α δ²: from where on the formula is meant to be good.
SETTINGS = tuple(
    (alpha, beta, eta, noise)
    for alpha, beta, eta in ((1.0, 1.0, 0.01), (1.0, 1.0, 0.02), (0.25, 1.0, 0.02), (1.0, 4.0, 0.02))
    for noise in (0.02, 1.0, 2.0, 4.0)
)
_PATHS = 64
_STEPS = {Scale.SMOKE: 20_000, Scale.LAPTOP: 200_000, Scale.PAPER: 200_000}
# The first fifth is on the way to where it stays.
_WARM = 0.2
_SHOWN = 1200

# η times the mean curvature, and by which share of it the two samples disagree.
SPIKING = ((1.5, 0.0), (1.5, 0.45), (1.5, 0.5), (1.5, 0.55))
_SPIKE_PATHS = 2000
_SPIKE_STEPS = {Scale.SMOKE: 1500, Scale.LAPTOP: 10_000, Scale.PAPER: 10_000}
TAILS = tuple(10.0 ** np.linspace(-1.0, -5.0, 17))


def gap(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Sharpness gaps over a grid of α, β, η and σ."""
    return {"gap": Computation(gaps, {"steps": _STEPS[scale], "seed": seed})}


def spikes(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """How high a mode bursts how often."""
    return {"spikes": Computation(bursts, {"steps": _SPIKE_STEPS[scale], "seed": seed})}


def gaps(steps: int, seed: int) -> xr.Dataset:
    """Means over time and paths of y, x², x⁴, x²y² …, by setting; and a stretch of one path."""
    rng = np.random.default_rng(derive_seed(seed, "liao2026sharpness"))
    alpha, beta, eta, noise = (np.array(column)[:, None] for column in zip(*SETTINGS, strict=True))
    delta = np.sqrt(2 * alpha / beta)
    sigma = np.sqrt(noise * np.sqrt(alpha) * delta**2 / eta)
    x, y = np.broadcast_to(delta, (len(SETTINGS), _PATHS)).copy(), np.zeros((len(SETTINGS), _PATHS))
    # The paths start at different places of the undamped cycle.
    x *= np.linspace(0.3, 1.0, _PATHS)
    sums, warm = np.zeros((5, len(SETTINGS))), round(_WARM * steps)
    begun = (x, y)
    shown = np.empty((2, len(SETTINGS), _SHOWN))
    for t in range(steps):
        if t == warm:
            begun = (x, y)
        drawn = sigma * rng.choice((-1.0, 1.0), x.shape)
        if t >= warm:
            square, work = x**2, 2 * (1 + eta * y) * x * drawn
            sums += np.stack([part.mean(1) for part in (y, square, square**2, square * y**2, work)])
        if t >= steps - _SHOWN:
            shown[:, :, t - steps + _SHOWN] = x[:, 0], y[:, 0]
        x, y = step(x, y, alpha, beta, eta, drawn)
    kept = steps - warm
    means = sums / kept
    theory = [
        stochastic_sharpness_gap(SelfStabilization(a, b), e, float(s) ** 2)
        for (a, b, e, _), s in zip(SETTINGS, sigma[:, 0], strict=True)
    ]
    columns = dict(zip(("alpha", "beta", "eta", "noise"), np.array(SETTINGS).T, strict=True))
    return xr.Dataset(
        {
            **{name: ("setting", column) for name, column in columns.items()},
            "sigma": ("setting", sigma[:, 0]),
            "theory": ("setting", theory),
            "gap": ("setting", -means[0]),
            "square": ("setting", means[1]),
            "fourth": ("setting", means[2]),
            "square_y_square": ("setting", means[3]),
            # What the noise happens to feed into x² by its sign, zero in the mean.
            "work": ("setting", means[4]),
            # What x² and y² gain a step, which the balance of a finite time has to know of.
            "square_drift": ("setting", (x**2 - begun[0] ** 2).mean(1) / kept),
            "y_square_drift": ("setting", (y**2 - begun[1] ** 2).mean(1) / kept),
            "x": (("setting", "shown"), shown[0]),
            "y": (("setting", "shown"), shown[1]),
        }
    )


def step(x: Reals, y: Reals, alpha: Reals, beta: Reals, eta: Reals, noise: Reals) -> tuple[Reals, Reals]:
    """One step from (x, s − 2/η) on a batch whose gradient along u is off by `noise`."""
    return -(1 + eta * y) * x - eta * noise, y + eta * (alpha - beta * x**2 / 2)


def bursts(steps: int, seed: int) -> xr.Dataset:
    """Levels that |x| exceeds with given probabilities, by setting, and the exponent that theory has for them."""
    rng = np.random.default_rng(derive_seed(seed, "liao2026sharpness", "spikes"))
    levels, exponents = [], []
    for mean, spread in SPIKING:
        x = np.zeros(_SPIKE_PATHS)
        for _ in range(_SPIKE_STEPS[Scale.SMOKE] // 5):
            x = burst(x, mean, spread, rng)
        seen = []
        for _ in range(steps):
            x = burst(x, mean, spread, rng)
            seen.append(np.abs(x))
        levels.append(np.quantile(np.concatenate(seen), 1 - np.array(TAILS)))
        exponents.append(tail_exponent(mean, spread))
    return xr.Dataset(
        {
            "level": (("spiking", "beyond"), levels),
            "exponent": ("spiking", exponents),
            "mean": ("spiking", [mean for mean, _ in SPIKING]),
            "spread": ("spiking", [spread for _, spread in SPIKING]),
        },
        coords={"beyond": list(TAILS)},
    )


def burst(x: Reals, mean: float, spread: float, rng: np.random.Generator) -> Reals:
    """One step of SGD on a mode: η times the curvature is mean (1 ± spread), the noise is normal."""
    factor = 1 - mean * (1 + spread * rng.choice((-1.0, 1.0), x.shape))
    return np.asarray(factor * x + rng.standard_normal(x.shape))


def tail_exponent(mean: float, spread: float) -> float:
    """κ with E|1 − ηh|^κ = 1, by which P(|x| > u) falls as u^−κ; infinite where no sample is unstable.

    References:
        kesten1973random
    """
    factors = np.abs(1 - mean * np.array((1 - spread, 1 + spread)))
    if factors.max() <= 1 or math.prod(factors) >= 1:
        return math.inf
    return float(brentq(lambda k: (factors**k).mean() - 1, 1e-3, 200.0))
