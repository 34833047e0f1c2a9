"""With a large step size SGD comes closer to the sparse solution, and gradient descent moves away from it."""

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, largest, of, only, ratio, smallest
from edgewise.foundation import EvidenceError

_ABSTRACT = "even2023sgd, Figure 1"
_GAIN = "even2023sgd, Theorem 1"
_SHAPE = "even2023sgd, shape of the gain"

_BEYOND = 1.05  # of the edge, from where gradient descent is held there


def _at_smallest(series: xr.DataArray) -> xr.DataArray:
    """The value at the smallest step size that converges, by data set."""
    return series.isel(multiple=_known(series).argmax("multiple"))


def _at_largest(series: xr.DataArray) -> xr.DataArray:
    """The value at the largest step size that converges, by data set."""
    last = series.sizes["multiple"] - 1 - _known(series).isel(multiple=slice(None, None, -1)).argmax("multiple")
    return series.isel(multiple=last)


def _known(series: xr.DataArray) -> xr.DataArray:
    known = series.notnull()
    if not bool(known.any("multiple").all()):
        raise EvidenceError("a data set", "no step size converges on it", "Let the recipe take more steps")
    return known


def _gained(runs: Runs) -> float:
    """log₂ of distance from w* at the largest ÷ at the smallest step size: how often it doubles; the median.

    Ratios scatter evenly in their logarithm only, and the interval of the verdict is one of means.
    """
    distance = only(runs)["distance"]
    return float(np.median(np.log2((_at_largest(distance) / _at_smallest(distance)).values)))


def _up_to(multiple: float) -> Measure:
    """log₂ of distance at that multiple of the edge ÷ at the smallest step size; the median of the data sets."""

    def measure(runs: Runs) -> float:
        distance = only(runs)["distance"]
        return float(np.nanmedian(np.log2((distance.sel(multiple=multiple) / _at_smallest(distance)).values)))

    return measure


def _order(name: str) -> Measure:
    """Spearman's rank correlation of a result with the step size; the median of the data sets."""

    def measure(runs: Runs) -> float:
        series = only(runs)[name]
        found = []
        for one in series.transpose("data", "multiple").values:
            known = np.isfinite(one)
            if known.sum() < 3:
                raise EvidenceError(
                    f"the trend of {name}",
                    "fewer than three step sizes converge",
                    "Let the recipe take more steps",
                )
            found.append(spearmanr(series["multiple"].values[known], one[known]).statistic)
        return float(np.median(found))

    return measure


def _farthest_distance(runs: Runs) -> float:
    """The median distance at the largest step size that converges."""
    return float(_at_largest(only(runs)["distance"]).median())


def _held(runs: Runs) -> float:
    """The median of final sharpness ÷ (2/γ) beyond the edge."""
    run = only(runs)
    beyond = run["edge_ratio"].sel(multiple=run["multiple"] >= _BEYOND)
    if not bool(beyond.notnull().any()):
        raise EvidenceError("the sharpness beyond the edge", "nothing converges there", "Take smaller step sizes")
    return float(beyond.median())


def _concentration(runs: Runs) -> float:
    """The mean gain on the support ÷ elsewhere at the largest step size that converges: the median."""
    return float(_at_largest(only(runs)["gain_on_support"]).median())


def _identity(runs: Runs) -> float:
    return float(only(runs)["identity"].max())


SPARSE_REGRESSION = (
    Claim(
        "with the largest step size that converges SGD ends at half the distance from the sparse solution or less",
        _ABSTRACT,
        of("sgd", _gained),
        AtMost(-1.0),
        seeds=3,
        counter=Claim("so does gradient descent", _ABSTRACT, of("gd", _gained), AtMost(-1.0), seeds=3),
    ),
    Claim(
        "the larger the step size, the closer SGD comes",
        _ABSTRACT,
        of("sgd", _order("distance")),
        AtMost(-0.9),
        seeds=3,
    ),
    Claim(
        "with the largest step size that converges gradient descent ends at twice the distance or more",
        _ABSTRACT,
        of("gd", _gained),
        AtLeast(1.0),
        seeds=3,
    ),
    Claim(
        "up to the edge of stability its distance is not doubled",
        _ABSTRACT,
        of("gd", _up_to(1.0)),
        AtMost(1.0),
        seeds=3,
        counter=Claim(
            "a fifth beyond the edge it is not either", _ABSTRACT, of("gd", _up_to(1.2)), AtMost(1.0), seeds=3
        ),
    ),
    Claim(
        "beyond it the final sharpness is the critical curvature",
        _ABSTRACT,
        of("gd", _held),
        Within(0.05, of=1.0),
        seeds=3,
    ),
    Claim(
        "at the largest step sizes SGD ends much closer than gradient descent",
        _ABSTRACT,
        ratio(of("sgd", _farthest_distance), of("gd", _farthest_distance)),
        AtMost(0.2),
        seeds=3,
    ),
    Claim(
        "u² − v² is left as exp(−gain) of what it was",
        _GAIN,
        largest(_identity),
        AtMost(1e-9),
        seeds=3,
    ),
    Claim(
        "the gain grows with the step size, for gradient descent as for SGD",
        _GAIN,
        smallest(_order("gain")),
        AtLeast(0.9),
        seeds=3,
    ),
    Claim(
        "gradient descent puts its gain on the support, SGD spreads it evenly",
        _SHAPE,
        ratio(of("gd", _concentration), of("sgd", _concentration)),
        AtLeast(3.0),
        seeds=3,
    ),
)
