"""Adaptive methods live at the edge of their own metric, and the sharpness itself goes on growing there."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import (
    AtLeast,
    AtMost,
    Claim,
    Measure,
    Runs,
    Within,
    among,
    at_share,
    farthest,
    hovering_at,
    median,
    of,
    only,
    order,
    rank_correlation,
    readings,
    smallest,
)
from edgewise.foundation import EvidenceError
from edgewise.gallery.cohen2022adaptive.recipe import BETA1, MOMENTA

_ADAM = "cohen2022adaptive, Figure 1"
_THRESHOLD = "cohen2022adaptive, the stability threshold"
_FROZEN = "cohen2022adaptive, frozen Adam"

_LATE = at_share(0.5)
_hovering = hovering_at("effective_sharpness", "critical_curvature", after=_LATE)


def _growth(runs: Runs) -> float:
    """The raw sharpness at the end ÷ that at half time."""
    series = readings(only(runs), "sharpness", after=_LATE)
    return float(series.values[-1] / series.values[0])


def _at_two(beta1: float) -> Measure:
    """The effective sharpness in units of 2/η: the threshold is (1 + β₁)/(1 − β₁) of them."""
    return lambda runs: _hovering(runs) * (1 + beta1) / (1 - beta1)


def _momenta_at_two(runs: Runs) -> float:
    """The least effective sharpness in units of 2/η among the runs that have momentum."""
    return min(of(f"β₁ = {beta1:g}", _at_two(beta1))(runs) for beta1 in MOMENTA if beta1)


ADAM = (
    Claim(
        "the sharpness in Adam's own metric hovers at (2 + 2β₁)/((1 − β₁)η)",
        _ADAM,
        farthest(_hovering),
        Within(0.1),
        counter=Claim(
            "it hovers at the 2/η of plain gradient descent", _ADAM, farthest(_at_two(BETA1)), Within(0.1)
        ),
    ),
    Claim(
        "the sharpness itself goes on growing from half time to the end",
        _ADAM,
        smallest(_growth),
        AtLeast(1.0),
    ),
    Claim(
        "it grows all the way",
        _ADAM,
        smallest(rank_correlation("sharpness", after=_LATE)),
        AtLeast(0.9),
    ),
)

MOMENTUM = (
    Claim(
        "with every momentum it hovers at its own threshold",
        _THRESHOLD,
        farthest(_hovering),
        Within(0.1),
        counter=Claim("it hovers at 2/η whatever the momentum", _THRESHOLD, _momenta_at_two, Within(0.1)),
    ),
    Claim(
        "the more momentum, the sharper in that metric",
        _THRESHOLD,
        order(median("effective_sharpness", after=_LATE)),
        AtLeast(1.0),
    ),
)

RMSPROP = (
    Claim(
        "the sharpness in the metric of RMSProp hovers at 2/η",
        _THRESHOLD,
        farthest(_hovering),
        Within(0.1),
        counter=Claim(
            "it is the sharpness itself that does",
            _THRESHOLD,
            farthest(hovering_at("sharpness", "critical_curvature", after=_LATE)),
            Within(0.1),
        ),
    ),
    Claim(
        "the sharpness itself goes on growing from half time to the end", _ADAM, smallest(_growth), AtLeast(1.0)
    ),
)

DIGITS = (
    Claim(
        "the sharpness in the metric of the method hovers at its threshold",
        _THRESHOLD,
        farthest(_hovering),
        Within(0.1),
    ),
    Claim(
        "under Adam the sharpness itself goes on growing from half time to the end",
        _ADAM,
        of("Adam", _growth),
        AtLeast(1.0),
    ),
    Claim(
        "under RMSProp it goes on growing from half time to the end", _ADAM, of("RMSProp", _growth), AtLeast(1.0)
    ),
)


def _is_frozen(name: str) -> bool:
    return name.startswith("frozen")


def _the_frozen(runs: Runs) -> tuple[xr.Dataset, float]:
    """The frozen run, and the step from which it is."""
    ((name, run),) = ((name, run) for name, run in runs.items() if _is_frozen(name))
    return run, float(name.rsplit(" ", 1)[1])


def _crossing(runs: Runs) -> float:
    """The first step past the freezing at which the effective sharpness is above its threshold."""
    run, at = _the_frozen(runs)
    series = readings(run, "effective_edge_ratio", after=lambda run, process: at)
    above = series["step"].values[series.values >= 1]
    if not above.size:
        raise EvidenceError(
            "frozen Adam",
            f"its effective edge ratio does not exceed {float(series.max()):.3g}",
            "Freeze later, or take more steps",
        )
    return float(above[0])


def _at_freezing(runs: Runs) -> float:
    run, at = _the_frozen(runs)
    return float(readings(run, "effective_edge_ratio", until=lambda run, process: at).values[-1])


def _losses(run: xr.Dataset, first: float, last: float) -> NDArray[np.float64]:
    return np.asarray(
        readings(run, "loss", after=lambda run, process: first, until=lambda run, process: last).values
    )


def _before_the_edge(runs: Runs) -> float:
    """The largest loss between the freezing and the crossing ÷ that at the freezing."""
    run, at = _the_frozen(runs)
    losses = _losses(run, at, _crossing(runs))
    return float(losses.max() / losses[0])


def _past_the_edge(frozen: bool) -> Measure:
    """The largest loss past the crossing ÷ that at the crossing."""

    def measure(runs: Runs) -> float:
        (run,) = (run for name, run in runs.items() if _is_frozen(name) == frozen)
        losses = _losses(run, _crossing(runs), np.inf)
        return float(losses.max() / losses[0])

    return measure


FROZEN = (
    Claim("it is frozen below its threshold", _FROZEN, _at_freezing, AtMost(1.0)),
    Claim("up to the threshold its loss does not rise", _FROZEN, _before_the_edge, AtMost(1.0)),
    Claim("past it the loss leaps up", _FROZEN, _past_the_edge(True), AtLeast(2.0)),
    Claim("over the same steps that of Adam itself does not", _FROZEN, _past_the_edge(False), AtMost(2.0)),
    Claim(
        "Adam, whose preconditioner adapts, stays near the threshold",
        _FROZEN,
        among(lambda name: not _is_frozen(name), _hovering),
        Within(0.1),
    ),
)
