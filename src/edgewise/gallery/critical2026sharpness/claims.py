"""What critical sharpness is, where it is the sharpness, and how far the watch may be trusted that reads it."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import AtLeast, AtMost, Between, Claim, Measure, Runs, Within, only
from edgewise.foundation import EvidenceError
from edgewise.gallery.critical2026sharpness.directional import RTOL
from edgewise.gallery.critical2026sharpness.spikes import level_of, spikes
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
_END = 20


def _spikes(branch: str) -> Measure:
    """1 if the loss of a branch spikes or is not finite, 0 otherwise."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        return float(spikes(run["loss"].sel(branch=branch).values, *_at_advice(run)))

    return measure


def _gain(branch: str) -> Measure:
    """How far the mean loss of the last steps of a branch is below that at the advice, in deviations."""

    def measure(runs: Runs) -> float:
        level, noise = _at_advice(only(runs))
        return float((level - only(runs)["loss"].sel(branch=branch).values[-_END:].mean()) / noise)

    return measure


def _at_advice(run: xr.Dataset) -> tuple[float, float]:
    """The level of the loss at the advice, and the deviation of a single one."""
    if not np.isfinite(run["advised"]):
        raise EvidenceError(
            "the advice", "the watch could not tell how large the step size may be", "Train longer"
        )
    return level_of(run["step"].values, run["loss_before"].values)


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


def _break(run: xr.Dataset) -> float:
    """The smallest multiple of the advised step size at which the training broke; infinite if none did."""
    broke = run["broke"].values == 1.0
    return float(run["multiple"].values[broke].min()) if broke.any() else np.inf


def _predicted(runs: Runs) -> None:
    for name, run in runs.items():
        if not np.isfinite([run["advised"], run["by_sharpness"]]).all():
            raise EvidenceError(f"the advice of {name}", "the watch could not tell any", "Train longer")


def _breaks_early(runs: Runs) -> float:
    """How many trainings break at half the advised step size or below."""
    _predicted(runs)
    return float(sum(_break(run) <= _HALF for run in runs.values()))


def _breaks_near(runs: Runs) -> float:
    """The share of trainings that first break near the advised step size."""
    _predicted(runs)
    return float(np.mean([_NEAR[0] <= _break(run) <= _NEAR[1] for run in runs.values()]))


def _typical_break(runs: Runs) -> float:
    _predicted(runs)
    return float(np.median([_break(run) for run in runs.values()]))


def _octaves(runs: Runs, prediction: str) -> float:
    """By how many octaves a prediction misses the step size at which training first breaks, the median."""
    _predicted(runs)
    return float(
        np.median([abs(np.log2(_break(run) * float(run["advised"] / run[prediction]))) for run in runs.values()])
    )


def _misses_by_more(prediction: str, other: str) -> Measure:
    """How many octaves further off the first prediction is than the second."""
    return lambda runs: _octaves(runs, prediction) - _octaves(runs, other)


# A power of the square root of two is not exact.
_HALF, _NEAR = 0.5001, (0.7, 2.83)

PANEL = (
    Claim("no training has a spike at half the advised step size", _ADVICE, _breaks_early, AtMost(0.0)),
    Claim(
        "most trainings first break between 0.7 and 2.83 times the advised step size",
        _ADVICE,
        _breaks_near,
        AtLeast(0.75),
    ),
    Claim(
        "a typical training first breaks at the advised step size or not far above it",
        _ADVICE,
        _typical_break,
        Between(0.7, 2.0),
    ),
    Claim(
        "the advice predicts the break better than the sharpness alone, by octaves that it is further off",
        _ADVICE,
        _misses_by_more("advised", "by_sharpness"),
        AtMost(0.0),
        counter=Claim(
            "the sharpness alone predicts it as well",
            _ADVICE,
            _misses_by_more("by_sharpness", "advised"),
            AtMost(0.0),
        ),
    ),
)
