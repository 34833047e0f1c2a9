"""The UV model: f = ⟨u, v⟩/√n on one sample with the label y, under the loss D²/2 with D = f − y.

With λ = (‖u‖² + ‖v‖²)/n, which at a minimum is the sharpness, gradient descent closes in two numbers:

    f' = f − ηλD + (η²/n) D² f,    λ' = λ + (ηD²/n)(ηλ − 4f/D)

In the units c = ηD/√n, ℓ = ηλ and a = ηy/√n the width is gone, and ℓ ± 2(c + a) is multiplied by (1 ∓ c)² at every
step. So what is not balanced, ℓ² − 4(c + a)², decays while c does not; on ℓ = 2(c + a) there remains the cubic map
c' = (c + a)(1 − c)² − a.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

_STARTS = {Scale.SMOKE: 16, Scale.LAPTOP: 64, Scale.PAPER: 64}
_WINDOW = 256
_ESCAPED = 50.0
_ON_MANIFOLD = 0.05

# f₀, λ₀, y, n, η and the number of steps.
REGIMES = {
    "sharpness reduction, then sharpening": (-3.0, 3.2, 2.0, 4.0, 0.15, 160),
    "progressive sharpening": (0.02, 0.05, 2.0, 4.0, 0.4, 30),
    "catapult": (0.3, 2.5, 0.0, 64.0, 1.0, 80),
    "edge of stability": (0.2, 0.3, 1.1, 1.0, 1.0, 200),
}


def recursion(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Networks of several widths and step sizes, beside the recursion in f and λ."""
    return {"networks": Computation(networks, {"steps": 200, "seed": seed})}


def regimes(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """One trajectory of each kind."""
    return {name: Computation(trajectory, {"name": name}) for name in REGIMES}


def catapult(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Wide networks with the label 0, over the first λ in units of 1/η."""
    return {"sweep": Computation(catapults, {"starts": 2 * _STARTS[scale], "width": 512, "seed": seed})}


def chaos(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Step sizes past the one at which no minimum is stable."""
    return {"sweep": Computation(bifurcation, {"starts": _STARTS[scale], "seed": seed})}


def advance(
    f: Reals | float, lam: Reals | float, y: Reals | float, n: Reals | float, eta: Reals | float
) -> tuple[Reals, Reals]:
    """(f, λ) after a step of gradient descent."""
    D = np.asarray(f - y)
    return np.asarray(f - eta * lam * D + eta**2 / n * D**2 * f), np.asarray(
        lam + eta / n * D * (eta * lam * D - 4 * f)
    )


def networks(steps: int, seed: int) -> xr.Dataset:
    """By how much a step of the network differs from the recursion, relatively, and ℓ² − 4(c + a)² with it."""
    rng = np.random.default_rng(derive_seed(seed, "kalra2023universal", "networks"))
    widths, ratios = np.array([2, 16, 256]), np.array([0.5, 1.5, 2.5])
    miss_f, miss_lam, miss_balance = np.zeros((3, len(widths), len(ratios)))
    for i, n in enumerate(widths):
        for j, ratio in enumerate(ratios):
            u, v = rng.standard_normal((2, n))
            y, eta = 0.5, ratio * n / (u @ u + v @ v)
            for _ in range(steps):
                f, lam = u @ v / np.sqrt(n), (u @ u + v @ v) / n
                predicted_f, predicted_lam = advance(f, lam, y, n, eta)
                c = eta * (f - y) / np.sqrt(n)
                predicted_balance = (lam**2 - 4 * f**2 / n) * (1 - c**2) ** 2
                u, v = u - c * v, v - c * u
                f, lam = u @ v / np.sqrt(n), (u @ u + v @ v) / n
                miss_f[i, j] = max(miss_f[i, j], abs(f - predicted_f) / max(1, abs(f)))
                miss_lam[i, j] = max(miss_lam[i, j], abs(lam - predicted_lam) / lam)
                miss_balance[i, j] = max(
                    miss_balance[i, j], abs(lam**2 - 4 * f**2 / n - predicted_balance) / lam**2
                )
    dims = ("width", "edge")
    return xr.Dataset(
        {"f": (dims, miss_f), "lam": (dims, miss_lam), "balance": (dims, miss_balance)},
        coords={"width": widths, "edge": ratios},
    )


def trajectory(name: str) -> xr.Dataset:
    """f and λ along one of the regimes."""
    f, lam, y, n, eta, steps = REGIMES[name]
    fs, lams = [f], [lam]
    for _ in range(steps):
        new_f, new_lam = advance(fs[-1], lams[-1], y, n, eta)
        fs.append(float(new_f))
        lams.append(float(new_lam))
    return xr.Dataset(
        {"f": ("step", np.array(fs)), "lam": ("step", np.array(lams))},
        coords={"step": np.arange(int(steps) + 1)},
        attrs={"label": y, "width": n, "step_size": eta},
    )


def catapults(starts: int, width: int, seed: int) -> xr.Dataset:
    """Whether the loss rises and whether it converges, from the f₀ and λ₀ of random networks, and the final ηλ."""
    rng = np.random.default_rng(derive_seed(seed, "kalra2023universal", "catapults"))
    u, v = rng.standard_normal((2, starts, width))
    lam = (np.square(u).sum(1) + np.square(v).sum(1)) / width
    f = (u * v).sum(1) / np.sqrt(width)
    edge = np.arange(1.0, 4.5 + 1e-9, 0.05)[:, None]
    eta = edge / lam
    start = (np.broadcast_to(f, eta.shape), np.broadcast_to(lam, eta.shape), eta, np.zeros_like(eta))

    def step(f: Reals, lam: Reals, eta: Reals, rises: Reals) -> tuple[Reals, ...]:
        new_f, new_lam = advance(f, lam, 0.0, width, eta)
        return new_f, new_lam, eta, rises + ((np.abs(new_f) > np.abs(f)) & (np.abs(f) > 1e-9))

    f, lam, eta, rises = iterate(step, start, 5000)
    converged = np.abs(f) < 1e-6
    dims = ("edge", "start")
    return xr.Dataset(
        {
            "rises": (dims, (rises > 0).astype(np.int64)),
            "converged": (dims, converged.astype(np.int64)),
            "end": (dims, np.where(converged, eta * lam, np.nan)),
        },
        coords={"edge": edge[:, 0]},
    )


def bifurcation(starts: int, seed: int) -> xr.Dataset:
    """For each a, where nearly balanced starts end: c and ℓ, their Lyapunov exponent, and how many escape.

    The recursion with η = n = 1 and the label a is the one in c and ℓ.
    """
    rng = np.random.default_rng(derive_seed(seed, "kalra2023universal", "bifurcation"))
    a = np.arange(0.8, 2.1 + 1e-9, 0.002)[:, None]
    f = rng.uniform(0.2, 0.8, starts) * a
    state = (f, 2 * f * (1 + _ON_MANIFOLD * rng.uniform(0.1, 1.0, starts)), a)
    f, lam, _ = iterate(lambda f, lam, a: (*advance(f, lam, a, 1.0, 1.0), a), state, 4000)

    def tangent(f: Reals, lam: Reals, a: Reals, p: Reals, q: Reals, growth: Reals) -> tuple[Reals, ...]:
        c = f - a
        p, q = (1 + c**2 + 2 * c * f - lam) * p - c * q, (2 * c * lam - 4 * (2 * c + a)) * p + (1 + c**2) * q
        length = np.hypot(p, q)
        return (*advance(f, lam, a, 1.0, 1.0), a, p / length, q / length, growth + np.log(length))

    *_, growth = iterate(tangent, (f, lam, a, 1.0, 0.3, 0.0), 4000)
    escaped = ~(np.abs(f) < _ESCAPED)
    kept = np.argmax(~escaped, axis=1)[:, None]
    at = [np.take_along_axis(part, kept, 1)[:, 0] for part in (f, lam)]
    orbit, edges, _ = iterate(
        lambda f, lam, a: (*advance(f, lam, a, 1.0, 1.0), a), (*at, a[:, 0]), _WINDOW - 1, every=1
    )
    alive = np.abs(orbit) < _ESCAPED
    return xr.Dataset(
        {
            "c": (("kept", "a"), np.where(alive, orbit - a[:, 0], np.nan)),
            "edge": (("kept", "a"), np.where(alive, edges, np.nan)),
            "escaped": ("a", escaped.mean(1)),
            "exponent": ("a", np.median(np.where(escaped, np.inf, growth / 4000), axis=1)),
        },
        coords={"a": a[:, 0]},
    )
