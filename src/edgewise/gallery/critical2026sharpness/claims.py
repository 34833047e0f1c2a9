"""What critical sharpness is, where it is the sharpness, and how far the watch may be trusted that reads it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgewise.claims import AtMost, Claim, Measure, Runs, Within
from edgewise.foundation import EvidenceError
from edgewise.gallery.critical2026sharpness.directional import RTOL

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
