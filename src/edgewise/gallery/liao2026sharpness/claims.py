"""Noise holds the sharpness below the edge by a known amount; samples that disagree make bursts of every size."""

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, Claim, Measure, Runs, Within
from edgewise.foundation import EvidenceError

_KEY = "liao2026sharpness"
_FORMULA = f"{_KEY}, sharpness gap"
_KESTEN = "kesten1973random, Theorem 5"
# ησ² in units of √α δ² from which on self-stabilisation is no longer a cycle of its own.
_NOISY = 0.5
# Of the bursts those count that are rarer than this.
_RARE = 1e-3


def _chosen(run: xr.Dataset, noisy: bool) -> xr.Dataset:
    return run.isel(setting=np.flatnonzero((run["noise"].values >= _NOISY) == noisy))


def _ratio(run: xr.Dataset) -> float:
    """The measured gap ÷ that of the formula, where it is farthest from one."""
    ratios = (run["gap"] / run["theory"]).values
    return float(ratios[np.abs(np.log(np.maximum(ratios, 1e-9))).argmax()])


def _noisy_ratio(runs: Runs) -> float:
    return _ratio(_chosen(runs["gap"], True))


def _quiet_ratio(runs: Runs) -> float:
    run = _chosen(runs["gap"], False)
    return float((run["gap"] / run["theory"]).min())


def _balance(runs: Runs) -> float:
    """ΔS ÷ what the balance of x² and y² over a finite time makes it, where it is farthest from one.

    (η/2δ²)[σ² + ½β ⟨(x² − δ²)²⟩ + ⟨x²y²⟩], and what vanishes in a long time: plus the ⟨2(1 + ηy)xξ⟩/2δ² that the
    signs of the noise ξ happened to feed, less (1/2δ²)[2 D(y²)/(ηβ) + D(x²)/η], where D is the gain a step.
    """
    run = runs["gap"]
    eta, beta = run["eta"], run["beta"]
    delta_square = 2 * run["alpha"] / beta
    spread = run["fourth"] - 2 * delta_square * run["square"] + delta_square**2
    fed = eta * (run["sigma"] ** 2 + beta / 2 * spread + run["square_y_square"]) + run["work"]
    gained = 2 * run["y_square_drift"] / (eta * beta) + run["square_drift"] / eta
    ratios = (run["gap"] * 2 * delta_square / (fed - gained)).values
    return float(ratios[np.abs(ratios - 1).argmax()])


def _square(runs: Runs) -> float:
    """⟨x²⟩ ÷ δ², where it is farthest from one."""
    run = runs["gap"]
    ratios = (run["square"] * run["beta"] / (2 * run["alpha"])).values
    return float(ratios[np.abs(ratios - 1).argmax()])


def _power(name: str) -> Measure:
    """The power of a hyperparameter in the gap, with those of the others given by least squares on logarithms."""

    def measure(runs: Runs) -> float:
        run = _chosen(runs["gap"], True)
        columns = [np.log(run[each].values) for each in ("eta", "sigma", "alpha", "beta")]
        solved = np.linalg.lstsq(np.stack([*columns, np.ones(len(columns[0]))], 1), np.log(run["gap"].values))[0]
        return float(solved[("eta", "sigma", "alpha", "beta").index(name)])

    return measure


def _tail(run: xr.Dataset) -> float:
    """The slope of log P(|x| > u) over log u among the rare bursts, its sign turned."""
    rare = run.isel(beyond=np.flatnonzero(run["beyond"].values <= _RARE))
    return -float(np.polyfit(np.log(rare["level"].values), np.log(rare["beyond"].values), 1)[0])


def _tail_ratio(runs: Runs) -> float:
    """The fitted exponent ÷ that of theory, where it is farthest from one, over those that burst."""
    run = runs["spikes"]
    bursting = [run.isel(spiking=i) for i in np.flatnonzero(np.isfinite(run["exponent"].values))]
    if not bursting:
        raise EvidenceError("the modes of the recipe", "none of them bursts", "Let the samples disagree more")
    ratios = np.array([_tail(one) / float(one["exponent"]) for one in bursting])
    return float(ratios[np.abs(ratios - 1).argmax()])


def _quiet_tail(runs: Runs) -> float:
    """The smallest fitted exponent where the samples agree."""
    run = runs["spikes"]
    return min(_tail(run.isel(spiking=i)) for i in np.flatnonzero(np.isinf(run["exponent"].values)))


GAP = (
    Claim("noise holds the sharpness below the edge by that gap", _FORMULA, _noisy_ratio, Within(0.1)),
    Claim("the gap grows in proportion to the step size", _FORMULA, _power("eta"), Within(0.1)),
    Claim("the gap grows with the square of the noise", _FORMULA, _power("sigma"), Within(0.1, of=2.0)),
    Claim(
        "the gap falls in inverse proportion to the rate of sharpening", _FORMULA, _power("alpha"),
        Within(0.1, of=-1),
    ),
    Claim(
        "the gap grows in proportion to how much the oscillation lowers the sharpness", _FORMULA, _power("beta"),
        Within(0.1),
    ),
    Claim(
        "the oscillation is as large as without noise, whatever feeds it", _FORMULA, _square, Within(0.01),
    ),
    Claim(
        "with hardly any noise the gap is the greater one that the cycles of self-stabilisation make",
        _FORMULA,
        _quiet_ratio,
        AtLeast(1.5),
        counter=Claim("it is that of the formula there too", _FORMULA, _quiet_ratio, Within(0.1)),
    ),
    Claim(
        "the gap is, with or without noise, what the balance of the oscillation asks for", _FORMULA, _balance,
        Within(1e-9),
    ),
)  # fmt: skip

SPIKES = (
    Claim(
        "bursts are polynomially likely, with the exponent at which the mean power of a step is one",
        _KESTEN,
        _tail_ratio,
        Within(0.15),
    ),
    Claim("where the samples agree they are not", _KESTEN, _quiet_tail, AtLeast(10.0)),
)
