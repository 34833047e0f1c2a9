"""What critical sharpness is, where it is the sharpness, and how far the watch may be trusted that reads it."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, only
from edgewise.foundation import EvidenceError
from edgewise.gallery.critical2026sharpness.directional import RTOL
from edgewise.gallery.critical2026sharpness.watched import ABOVE, BELOW, LOW, PHASES, PRESENT

_KEY = "critical2026sharpness"
_DEFINITION = f"{_KEY}, definition of critical sharpness"
_EDGE = f"{_KEY}, edge of stability"

# From the first measurement above the first share on, a run is at its edge; as long as all are below the second,
# well below it.
_AT, _BELOW = 0.95, 0.8
_FEWEST = 3

Reals = NDArray[np.float64]
_Series = Callable[[Runs, str], Reals]


def _at_edge(runs: Runs, name: str) -> Reals:
    """A series from where each run has come to its edge, of all runs."""
    parts = []
    for run in runs.values():
        at = np.maximum.accumulate(run["sharpness"].values) > _AT * float(run["critical_curvature"])
        parts.append(run[name].values[at])
    return _enough(np.concatenate(parts), "at the edge")


def _below_edge(runs: Runs, name: str) -> Reals:
    """The same where each run has never yet been near its edge, the start left out: nothing has settled there."""
    parts = []
    for run in runs.values():
        below = np.maximum.accumulate(run["sharpness"].values) < _BELOW * float(run["critical_curvature"])
        parts.append(run[name].values[below & (run["step"].values > 0)])
    return _enough(np.concatenate(parts), "well below the edge")


def _enough(values: Reals, where: str) -> Reals:
    if values.size < _FEWEST:
        raise EvidenceError(f"{values.size} measurements {where}", "they say little", "Descend further")
    return values


def _ratio(where: _Series, name: str) -> Measure:
    """The median of λ_c ÷ another curvature."""
    return lambda runs: float(np.median(where(runs, "critical_sharpness") / where(runs, name)))


def _worst(runs: Runs) -> float:
    """The largest relative distance of λ_c from the first crossing found in small steps."""
    return max(
        float(np.nanmax(np.abs(run["critical_sharpness"].values / run["first_crossing"].values - 1.0)))
        for run in runs.values()
    )


def _passes(runs: Runs) -> float:
    return float(np.mean(np.concatenate([run["passes"].values for run in runs.values()])))


def _edge_ratio(runs: Runs) -> float:
    """The median of λ_c ÷ 2/η at the edge."""
    parts = []
    for name, run in runs.items():
        if run["sharpness"].max() > _AT * run["critical_curvature"]:
            parts.append(_at_edge({name: run}, "critical_sharpness") / float(run["critical_curvature"]))
    return float(np.median(_enough(np.concatenate([*parts, np.empty(0)]), "at the edge")))


DIRECTIONAL = (
    Claim(
        "a few forward passes find the first step at which the loss is back, at every point",
        _DEFINITION,
        _worst,
        AtMost(RTOL),
    ),
    Claim("five or six of them are enough on average", _DEFINITION, _passes, AtMost(6.0)),
    Claim(
        "at the edge critical sharpness is the curvature along the gradient",
        _DEFINITION,
        _ratio(_at_edge, "curvature"),
        Within(0.1, of=1.0),
    ),
    Claim(
        "well below the edge it is the curvature along the gradient",
        _DEFINITION,
        _ratio(_below_edge, "curvature"),
        Within(0.25, of=1.0),
    ),
    Claim(
        "at the edge it is the sharpness",
        _EDGE,
        _ratio(_at_edge, "sharpness"),
        Within(0.1, of=1.0),
        counter=Claim(
            "it is the sharpness below the edge as well",
            _EDGE,
            _ratio(_below_edge, "sharpness"),
            Within(0.1, of=1.0),
        ),
    ),
    Claim(
        "well below the edge it is much smaller than the sharpness",
        _EDGE,
        _ratio(_below_edge, "sharpness"),
        AtMost(0.5),
        counter=Claim("at the edge it is much smaller as well", _EDGE, _ratio(_at_edge, "sharpness"), AtMost(0.5)),
    ),
    Claim("it settles at 2/η", _EDGE, _edge_ratio, Within(0.1, of=1.0)),
)


_ADVICE = f"{_KEY}, put to use by the watch"
_SEEDS = 3
# A mean of five losses in a row that is three deviations of single losses above the level at the advice is no
# noise: that would be 6.7 deviations of its own.
_LAST, _END, _MEAN_OF, _SPIKE = 50, 20, 5, 3.0


def _spikes(branch: str) -> Measure:
    """1 if the loss of a branch spikes or is not finite, 0 otherwise."""

    def measure(runs: Runs) -> float:
        level, noise = _at_advice(only(runs))
        loss = only(runs)["loss"].sel(branch=branch).values
        if not np.isfinite(loss).all():
            return 1.0
        highest = np.convolve(loss, np.ones(_MEAN_OF) / _MEAN_OF, "valid").max()
        return float(highest > level + _SPIKE * noise)

    return measure


def _gain(branch: str) -> Measure:
    """How far the mean loss of the last steps of a branch is below that at the advice, in deviations."""

    def measure(runs: Runs) -> float:
        level, noise = _at_advice(only(runs))
        return float((level - only(runs)["loss"].sel(branch=branch).values[-_END:].mean()) / noise)

    return measure


def _at_advice(run: xr.Dataset) -> tuple[float, float]:
    """The end of a straight line through the last losses before the advice, and their deviation from it.

    About their mean they would deviate by their fall as well, and a spike could hide in that.
    """
    if not np.isfinite(run["advised"]):
        raise EvidenceError(
            "the advice", "the watch could not tell how large the step size may be", "Train longer"
        )
    step, loss = run["step"].values[-_LAST:], run["loss_before"].values[-_LAST:]
    line = np.polynomial.Polynomial.fit(step, loss, 1)
    return float(line(step[-1])), float(np.std(loss - line(step), ddof=2))


def _phase(branch: str, *phases: str) -> Measure:
    """1 if the verdict at the end of a branch is one of these, 0 otherwise."""
    return lambda runs: float(PHASES[int(only(runs)["phase"].sel(branch=branch))] in phases)


WATCH = (
    Claim(
        "at 0.7 times the advised step size the loss has no spike", _ADVICE, _spikes(BELOW), AtMost(0.0), _SEEDS
    ),
    Claim(
        "there the training goes on: the loss ends no higher than it was, but for noise",
        _ADVICE,
        _gain(BELOW),
        AtLeast(-1.0),
        _SEEDS,
    ),
    Claim(
        "at twice the advised step size it spikes or diverges",
        _ADVICE,
        _spikes(ABOVE),
        AtLeast(1.0),
        _SEEDS,
        counter=Claim(
            "it does so at the present step size as well", _ADVICE, _spikes(PRESENT), AtLeast(1.0), _SEEDS
        ),
    ),
    Claim(
        "a low step size is said to be stable",
        _ADVICE,
        _phase(LOW, "stable", "sharpening"),
        AtLeast(1.0),
        _SEEDS,
    ),
    Claim(
        "a good one is not said to be beyond the edge",
        _ADVICE,
        _phase(PRESENT, "stable", "sharpening", "at the edge", "cannot tell"),
        AtLeast(1.0),
        _SEEDS,
    ),
    Claim(
        "one that is too high is said to be beyond the edge",
        _ADVICE,
        _phase(ABOVE, "beyond the edge"),
        AtLeast(1.0),
        _SEEDS,
    ),
)
