"""Past the edge a step brings hardly any progress, because the loss is as curved along it as the step is long."""

import numpy as np
import xarray as xr

from edgewise.claims import (
    AtLeast,
    AtMost,
    Between,
    Claim,
    Measure,
    Runs,
    Within,
    crossing,
    farthest,
    largest,
    last_above,
    maximum,
    mean,
    mean_ratio,
    readings,
    smallest,
    window_decreases,
)
from edgewise.foundation import EvidenceError

_KEY = "ahn2022understanding"
_PROGRESS = f"{_KEY}, relative progress"
_SMOOTHNESS = f"{_KEY}, directional smoothness"
_INVARIANCE = f"{_KEY}, forward-invariant sets"
# A quotient of differences of losses of the order of one.
_ROUNDING = 1e-12
_NEAR = 1e-6


def _identity(runs: Runs) -> float:
    """The largest |RP − (−1 + (η/2) DS)|."""
    run = runs["steps"]
    return float(np.abs(run["relative_progress"] + 1 - run["smoothness_share"]).max())


def _ascents(runs: Runs) -> float:
    """The smallest share of ηλ/2 under which a step on a quadratic goes up; no step can below one."""
    run = runs["steps"]
    up = run["step_size_share"].values[run["relative_progress"].values > 0]
    if not up.size:
        raise EvidenceError("steps on quadratics", "none of them goes up", "Draw larger step sizes")
    return float(up.min())


def _reach(runs: Runs) -> float:
    """The largest |x| ever, in units of η."""
    run = runs["paths"]
    return float(np.abs(run["x"]).max()) / float(np.abs(run["start"]).max())


def _at_rest(runs: Runs) -> float:
    """The share of starts, other than the minimum itself, that end next to it."""
    end = runs["paths"]["x"].isel(step=-1)
    return float((np.abs(end[end["start"] != 0]) < _NEAR).mean())


def _escaped(runs: Runs) -> float:
    """The share of starts, other than the minimum itself, that the quadratic sends beyond where they can be."""
    end = runs["paths"]["quadratic"].isel(step=-1)
    end = end[end["start"] != 0]
    return float((~(np.abs(end) <= float(np.abs(end["start"]).max()))).mean())


def _on_cycle(name: str) -> Measure:
    """The reading of the last step that lies farthest from zero, over the starts."""

    def measure(runs: Runs) -> float:
        last = runs["paths"][name].isel(taken=-1).values
        return float(last[np.abs(last).argmax()])

    return measure


def _first_ascent(run: xr.Dataset, process: str | None) -> float:
    """The first step that increases the loss: what the paper calls unstable."""
    progress = readings(run, "relative_progress", process)
    up = progress["step"].values[progress.values > 0]
    if not up.size:
        raise EvidenceError("the steps of a run", "none of them increases the loss", "Take a larger step size")
    return float(up[0])


QUADRATIC = (
    Claim(
        "on a quadratic relative progress is directional smoothness in units of two over the step size, less one",
        _PROGRESS,
        _identity,
        AtMost(_ROUNDING),
    ),
    Claim(
        "no step on a quadratic goes up while the step size is below two over the sharpness",
        f"{_KEY}, the descent lemma",
        _ascents,
        AtLeast(1.0),
    ),
)

BOUNDED = (
    Claim(
        "no step leaves the interval as long as the step size to either side, though the minimum is unstable",
        _INVARIANCE,
        _reach,
        AtMost(1.0),
    ),
    Claim(
        "on a quadratic of the same curvature every start escapes",
        _INVARIANCE,
        _escaped,
        AtLeast(1.0),
    ),
    Claim(
        "no start ends at the unstable minimum",
        f"{_KEY}, Theorem 1",
        _at_rest,
        AtMost(0.0),
    ),
    Claim(
        "on the cycle that it ends in a step brings no progress", _PROGRESS, _on_cycle("relative_progress"),
        Within(1e-9, of=0.0),
    ),
    Claim(
        "on that cycle directional smoothness is two over the step size", _SMOOTHNESS,
        lambda runs: _on_cycle("directional_smoothness")(runs) * _eta(runs) / 2, Within(1e-9),
    ),
)  # fmt: skip


def _eta(runs: Runs) -> float:
    return float(runs["paths"]["start"].max())


_at_edge = crossing("edge_ratio", 1.0)
# Late in training the cross-entropy flattens, and a run leaves the edge downwards.
_leaving = last_above("edge_ratio", 1.0, share=0.95)

NETWORK = (
    Claim(
        "below the edge no step increases the loss",
        f"{_KEY}, Figure 1",
        largest(maximum("relative_progress", until=_at_edge)),
        AtMost(0.0),
    ),
    Claim(
        "below the edge a step brings most of the progress that gradient flow would",
        _PROGRESS,
        farthest(mean("relative_progress", until=_at_edge), of=-0.75),
        Between(-1.0, -0.5),
    ),
    Claim(
        "past the first step that goes up, relative progress is near zero",
        _PROGRESS,
        farthest(mean("relative_progress", after=_first_ascent, until=_leaving), of=0.0),
        Within(0.1, of=0.0),
        counter=Claim(
            "it is still at least half of what gradient flow would bring",
            _PROGRESS,
            smallest(mean("relative_progress", after=_first_ascent, until=_leaving)),
            AtMost(-0.5),
        ),
    ),
    Claim(
        "there directional smoothness is near two over the step size",
        _SMOOTHNESS,
        farthest(mean_ratio("directional_smoothness", "critical_curvature", after=_first_ascent, until=_leaving)),
        Within(0.1),
    ),
    Claim(
        "the loss falls from window to window all the same",
        f"{_KEY}, Figure 1",
        smallest(window_decreases("loss")),
        AtLeast(0.9),
    ),
)
