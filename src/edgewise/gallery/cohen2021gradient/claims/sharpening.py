"""Sharpness grows in training, the more the narrower, the deeper, and the more samples there are."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import (
    AtLeast,
    AtMost,
    Claim,
    Measure,
    Runs,
    among,
    at_share,
    first,
    last,
    maximum,
    of,
    order,
    rank_correlation,
    ratio,
    readings,
)
from edgewise.foundation import EvidenceError

Reals = NDArray[np.float64]

_FIG3, _FIG14 = "cohen2021gradient, Figure 3", "cohen2021gradient, Figure 14"
_FIG17, _FIG18 = "cohen2021gradient, Figure 17", "cohen2021gradient, Figure 18"

HIGHEST = maximum("sharpness")
GROWTH = ratio(HIGHEST, first("sharpness"))
"""The highest sharpness ÷ that at the start."""


def peak(run: xr.Dataset, process: str | None) -> float:
    """The step at which the sharpness is highest."""
    series = readings(run, "sharpness", process)
    return float(series["step"].values[int(np.argmax(series.values))])


SHARPENING = (
    Claim(
        "squared error: the sharpness at the end is a multiple of that at the start",
        _FIG3,
        of("mse", ratio(last("sharpness"), first("sharpness"))),
        AtLeast(5.0),
    ),
    Claim(
        "squared error: it grows all the way",
        _FIG3,
        of("mse", rank_correlation("sharpness", after=at_share(0.05))),
        AtLeast(0.9),
    ),
    Claim(
        "squared error: the step size is so small that 2/η is never reached",
        _FIG3,
        of("mse", ratio(HIGHEST, last("critical_curvature"))),
        AtMost(1.0),
    ),
    Claim(
        "cross-entropy: the highest sharpness is a multiple of that at the start",
        _FIG3,
        of("ce", GROWTH),
        AtLeast(5.0),
    ),
    Claim(
        "cross-entropy: it grows all the way to its peak",
        _FIG3,
        of("ce", rank_correlation("sharpness", after=at_share(0.05), until=peak)),
        AtLeast(0.9),
    ),
    Claim(
        "cross-entropy: the step size is so small that 2/η is never reached",
        _FIG3,
        of("ce", ratio(HIGHEST, last("critical_curvature"))),
        AtMost(1.0),
    ),
)


def by_depth(runs: Runs, measure: Measure) -> tuple[Reals, Reals]:
    """The mean of a measure over initialisations at each depth, and the variance of that mean."""
    depths: dict[str, list[float]] = {}
    for name, run in runs.items():
        depths.setdefault(name.split(", ")[0], []).append(measure({name: run}))
    values = list(depths.values())
    return np.array([np.mean(v) for v in values]), np.array([np.var(v, ddof=1) / len(v) for v in values])


def rises(measure: Measure) -> Measure:
    """The share of steps from a depth to the next at which the mean of a measure goes up."""
    return lambda runs: float((np.diff(by_depth(runs, measure)[0]) > 0).mean())


def clearest_rise(runs: Runs) -> float:
    """The smallest rise of the highest sharpness from a depth to the next, ÷ its standard error."""
    means, variances = by_depth(runs, HIGHEST)
    return float((np.diff(means) / np.sqrt(variances[1:] + variances[:-1])).min())


def excess_kept(runs: Runs) -> float:
    """Growth − 1 of the last run ÷ that of the first: how much of the sharpening the widest network still has."""
    growths = [GROWTH({name: run}) - 1 for name, run in runs.items()]
    if growths[0] == 0.0:
        raise EvidenceError(
            "the sharpening of the narrowest network",
            "there is none, so no share of it can be kept",
            "Take a wider range of widths, or let the networks train for longer",
        )
    return growths[-1] / growths[0]


def _kind(kind: str) -> Callable[[Measure], Measure]:
    return lambda measure: among(lambda name: name.startswith(kind), measure)


WIDTH = (
    Claim(
        "standard parameterisation: the wider the network, the less it sharpens",
        _FIG14,
        _kind("standard")(order(GROWTH)),
        AtMost(-0.9),
        seeds=3,
    ),
    Claim(
        "parameterisation of the tangent kernel: the wider the network, the less it sharpens",
        _FIG14,
        _kind("ntk")(order(GROWTH)),
        AtMost(-0.9),
        seeds=3,
    ),
    Claim(
        "parameterisation of the tangent kernel: the widest network hardly sharpens",
        _FIG14,
        _kind("ntk")(excess_kept),
        AtMost(0.5),
        seeds=3,
    ),
)

DEPTH = (
    Claim("the deeper the network, the sharper it becomes, in the mean", _FIG17, rises(HIGHEST), AtLeast(1.0)),
    Claim("every further layer counts for more than its standard error", _FIG17, clearest_rise, AtLeast(1.0)),
    Claim(
        "the deeper the network, the more it sharpens, measured by the sharpness at the start",
        _FIG17,
        rises(GROWTH),
        AtLeast(1.0),
    ),
)

SIZE = tuple(
    Claim(
        sentence,
        _FIG18,
        order(measure),
        AtLeast(1.0 - 1e-9),  # every order is the right one, up to the rounding of the correlation
        seeds=3,
    )
    for sentence, measure in (
        ("the more samples, the sharper it becomes", HIGHEST),
        ("the more samples, the more it sharpens, measured by the sharpness at the start", GROWTH),
    )
)
