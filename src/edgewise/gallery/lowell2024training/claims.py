"""On the way to the edge the layers align; there the curvature is that of the linearised model."""

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from edgewise.claims import AtLeast, Claim, Runs, Within, order
from edgewise.foundation import EvidenceError

_KEY = "lowell2024training"
_ABSTRACT = f"{_KEY}, abstract"


def _crossing(run: xr.Dataset) -> int:
    """The first reading above the critical curvature."""
    above = np.flatnonzero((run["sharpness"] > run["critical_curvature"]).values)
    if not above.size:
        raise EvidenceError("the crossing of the critical curvature", "there is none", "Take more steps")
    return int(above[0])


def _share_at_edge(runs: Runs) -> float:
    """λ₁(G)/λ₁(H) from the crossing on, where it is farthest from one."""
    run = runs["gd"]
    shares = (run["gauss_newton"] / run["sharpness"]).values[_crossing(run) :]
    return float(shares[np.abs(shares - 1).argmax()])


def _slope(runs: Runs) -> float:
    """The slope of log alignment up to the crossing, a step."""
    run = runs["gd"]
    before = slice(0, _crossing(run) + 1)
    return float(np.polyfit(run["step"].values[before], np.log(run["alignment"].values[before]), 1)[0])


def _together(runs: Runs) -> float:
    """The rank correlation of alignment with sharpness, over all readings."""
    run = runs["gd"]
    return float(spearmanr(run["alignment"].values, run["sharpness"].values).statistic)


def _part(runs: Runs) -> float:
    """From the least sharpness to the crossing: the growth of log alignment, as a part of that of log ‖J‖.

    ‖J‖ is the alignment times the norms of the layers.
    """
    run = runs["gd"]
    until = _crossing(run)
    ends = [int(run["sharpness"].values[:until].argmin()), until]
    alignment, norms = (np.diff(np.log(run[name].values[ends]))[0] for name in ("alignment", "norms"))
    return float(alignment / (alignment + norms))


def _last(runs: Runs) -> float:
    (run,) = runs.values()
    return float(run["alignment"][-1])


def _straightness(runs: Runs) -> float:
    """R² of log alignment over log n, with the sign of the slope."""
    n = np.log([float(run["samples"]) for run in runs.values()])
    correlation = float(np.corrcoef(n, np.log([float(run["alignment"][-1]) for run in runs.values()]))[0, 1])
    return float(np.sign(correlation) * correlation**2)


EDGE = (
    Claim("at the edge the curvature is the Gauss–Newton part's", _ABSTRACT, _share_at_edge, Within(0.1)),
    Claim("before the edge is reached the layers align", _ABSTRACT, _slope, AtLeast(0.0)),
    Claim("alignment and sharpness rise and fall together", _ABSTRACT, _together, AtLeast(0.5)),
    Claim(
        "from the least sharpness to the edge alignment contributes more than the norms of the layers",
        _ABSTRACT,
        _part,
        AtLeast(0.5),
    ),
)

SIZES = (
    Claim("the layers are the better aligned the more there is to fit", _ABSTRACT, order(_last), AtLeast(0.9)),
    Claim("alignment is a growing power of the number of samples", _ABSTRACT, _straightness, AtLeast(0.74)),
)
