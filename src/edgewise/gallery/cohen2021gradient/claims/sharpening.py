"""Sharpness grows in training, the more the narrower, the deeper, and the more samples there are."""

from collections.abc import Callable

import numpy as np
import xarray as xr

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


def least_rise(measure: Measure) -> Measure:
    """The smallest rise of the logarithm of a measure from a run to the next one."""

    def rise(runs: Runs) -> float:
        return float(np.diff([np.log(measure({name: run})) for name, run in runs.items()]).min())

    return rise


def excess_kept(runs: Runs) -> float:
    """Growth − 1 of the last run ÷ that of the first: how much of the sharpening the widest network still has."""
    growths = [GROWTH({name: run}) - 1 for name, run in runs.items()]
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
    Claim(
        "the deeper the network, the sharper it becomes",
        _FIG17,
        order(HIGHEST),
        AtLeast(0.9),
        seeds=3,
    ),
    Claim(
        "every further layer makes it sharper",
        _FIG17,
        least_rise(HIGHEST),
        AtLeast(0.0),
        seeds=3,
    ),
)

SIZE = (
    Claim(
        "the more samples, the sharper it becomes",
        _FIG18,
        order(HIGHEST),
        AtLeast(1.0 - 1e-9),  # every order is the right one, up to the rounding of the correlation
        seeds=3,
        counter=Claim("the sharpness at the start grows as well", _FIG18, order(first("sharpness")), AtLeast(0.9)),
    ),
)
