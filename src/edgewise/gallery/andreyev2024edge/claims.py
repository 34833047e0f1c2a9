"""Batch sharpness, and not the sharpness of the full batch, settles at 2/η."""

import numpy as np
import xarray as xr

from edgewise.claims import (
    AtLeast,
    AtMost,
    Claim,
    Measure,
    Runs,
    Within,
    at_share,
    farthest,
    hovering_at,
    largest,
    last,
    of,
    only,
    order,
    readings,
    smallest,
)
from edgewise.foundation import EvidenceError
from edgewise.gallery.andreyev2024edge.recipe import BATCHES, FACTORS

_PLATEAU = "andreyev2024edge, batch sharpness"
_SHARPNESS = "andreyev2024edge, sharpness by batch size"
_CATAPULT = "andreyev2024edge, catapults"
# The plateau is read over the last third of a run.
_LATE = at_share(2 / 3)
_LEAP = 2.0


def _late(name: str) -> Measure:
    return hovering_at(name, "critical_curvature", after=_LATE)


def _excess(runs: Runs) -> float:
    """The median batch sharpness ÷ the median sharpness, over the plateau."""
    return _late("batch_sharpness")(runs) / _late("sharpness")(runs)


PLATEAU = (
    Claim(
        "batch sharpness settles at 2/η for every size of batch",
        _PLATEAU,
        farthest(_late("batch_sharpness")),
        Within(0.1),
        counter=Claim(
            "so does the sharpness of the full batch", _PLATEAU, farthest(_late("sharpness")), Within(0.1)
        ),
    ),
    Claim(
        "the sharpness of the full batch is the lower the smaller the batches",
        _SHARPNESS,
        order(_late("sharpness")),
        AtLeast(1.0),
    ),
    Claim("it stays below 2/η", _SHARPNESS, largest(_late("sharpness")), AtMost(1.0)),
    Claim(
        "with the smallest batches it stays well below",
        _SHARPNESS,
        of(f"B = {BATCHES[0]}", _late("sharpness")),
        AtMost(0.9),
    ),
    Claim("batch sharpness is above it", _PLATEAU, smallest(_excess), AtLeast(1.0)),
)


def _raised_at(run: xr.Dataset) -> float:
    """The step at which the step size was raised; that of the others where it was not."""
    critical = run["critical_curvature"].isel(process=0).values
    changes = np.flatnonzero(np.diff(critical[np.isfinite(critical)]) != 0)
    if not changes.size:
        raise EvidenceError("the step size", "it never changes", "Look at a run in which it is raised")
    return float(run["step"].values[changes[0] + 1])


def _leap(factor: float | int) -> Measure:
    """The largest loss from the raising on ÷ the median of the quarter of the steps before it."""

    def measure(runs: Runs) -> float:
        at = _raised_at(runs[f"η × {FACTORS[-1]:g}"])
        run = runs[f"η × {factor:g}"]
        before = readings(run, "loss", after=lambda run, process: 0.75 * at, until=lambda run, process: at)
        past = readings(run, "loss", after=lambda run, process: at)
        return float(past.values.max() / np.median(before.values))

    return measure


def _at_raising(runs: Runs) -> float:
    """The batch sharpness ÷ the new 2/η, at the raising."""
    run = only(runs)
    at = _raised_at(run)
    return float(readings(run, "batch_edge_ratio", after=lambda run, process: at).values[0])


CATAPULT = (
    Claim(
        "raised so far, the step size puts batch sharpness above its threshold",
        _CATAPULT,
        of(f"η × {FACTORS[-1]:g}", _at_raising),
        AtLeast(1.0),
    ),
    Claim("the loss leaps up", _CATAPULT, _leap(FACTORS[-1]), AtLeast(_LEAP)),
    Claim("with the step size as it was it does not", _CATAPULT, _leap(FACTORS[0]), AtMost(_LEAP)),
    Claim(
        "past the leap batch sharpness is back under its threshold",
        _CATAPULT,
        of(f"η × {FACTORS[-1]:g}", last("batch_edge_ratio")),
        AtMost(1.1),
    ),
)
