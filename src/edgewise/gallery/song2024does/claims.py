"""Nearly all of the gradient is dominant, and yet it is the bulk that learns."""

import numpy as np

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, first, median, only
from edgewise.gallery.song2024does.recipe import BULK, DOMINANT, WHOLE

_KEY = "song2024does"
_TAIL = 0.1  # of the steps, over which the loss at the end is averaged


def _drop(process: str) -> Measure:
    """By how much the loss falls after the switch, to its mean over the last tenth of the steps."""

    def measure(runs: Runs) -> float:
        loss = only(runs)["loss"].sel(process=process).values
        return float(loss[0] - loss[-round(_TAIL * len(loss)) :].mean())

    return measure


def _share(process: str) -> Measure:
    """The same in units of what the whole gradient brings."""
    return lambda runs: _drop(process)(runs) / _drop(WHOLE)(runs)


def _log_decrease(runs: Runs) -> float:
    """By which factor the whole gradient lowers the loss after the switch."""
    loss = only(runs)["loss"].sel(process=WHOLE).values
    return float(loss[0] / np.mean(loss[-round(_TAIL * len(loss)) :]))


_LEARNS = Claim("the whole gradient goes on learning", f"{_KEY}, Figure 1", _log_decrease, AtLeast(1.2))
_DOMINANT = Claim(
    "descent by the dominant part alone learns next to nothing",
    f"{_KEY}, Figure 1, Dom-SGD",
    _share(DOMINANT),
    AtMost(0.1),
    counter=Claim(
        "it learns as its share of the gradient would have it", f"{_KEY}, Figure 1", _share(DOMINANT), AtLeast(0.5)
    ),
)
_BULK = Claim(
    "descent by the bulk alone learns as well as by the whole gradient",
    f"{_KEY}, Figure 1, Bulk-SGD",
    _share(BULK),
    Within(0.2),
)

STOCHASTIC = (
    Claim(
        "at the switch nearly all of the gradient is dominant", f"{_KEY}, Figure 1", first("dominant_fraction"),
        AtLeast(0.9),
    ),
    _LEARNS,
    _DOMINANT,
    _BULK,
)  # fmt: skip

EDGE = (
    Claim(
        "at the edge of stability nearly all of the gradient is dominant", f"{_KEY}, Section 4",
        median("dominant_fraction"), AtLeast(0.9),
    ),
    Claim(
        "of the mean gradient of two steps most is not, because what is dominant is the oscillation",
        f"{_KEY}, Section 4", median("mean_dominant_fraction"), AtMost(0.5),
    ),
    _LEARNS,
    _DOMINANT,
    _BULK,
)  # fmt: skip
