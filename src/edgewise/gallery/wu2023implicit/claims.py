"""Any step size will do for the logistic loss, in the end; for the exponential loss it will not."""

import math

import numpy as np

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, of, only
from edgewise.foundation import EvidenceError
from edgewise.gallery.wu2023implicit.recipe import MARGIN, STEP_SIZES

_SOURCE = "wu2023implicit, Theorem 1"
_LARGE, _SMALL = STEP_SIZES[-1], STEP_SIZES[0]


def _rate(runs: Runs) -> float:
    """L γ² η t at the end, of the step size for which it lies farthest from 1."""
    run = only(runs)
    end = run["loss"].isel(step=-1) * MARGIN**2 * run["step_size"] * run["step"][-1]
    return float(end[int(np.argmax(np.abs(end.values - 1)))])


def _rises(step_size: float) -> Measure:
    """How often the loss rises."""
    return lambda runs: float((np.diff(only(runs)["loss"].sel(step_size=step_size)) > 0).sum())


def _last_rise(runs: Runs) -> float:
    """The last step from which the loss rises, at any step size."""
    return float(np.flatnonzero((np.diff(only(runs)["loss"].values, axis=0) > 0).any(1))[-1])


def _across(runs: Runs) -> float:
    """The weight across the margin at the end, farthest from where theory has it."""
    ends = only(runs)["w"].isel(step=-1, axis=1).values
    return float(ends[np.argmax(np.abs(ends - _BALANCED))])


def _turning(runs: Runs) -> float:
    """tan of the angle to the max-margin direction: at the end ÷ at a tenth of the steps, largest."""
    run = only(runs)
    w = run["w"].isel(step=[run.sizes["step"] // 10, -1])
    tangent = np.abs((w.isel(axis=1) / w.isel(axis=0)).values)
    return float((tangent[1] / tangent[0]).max())


def _edge(runs: Runs) -> float:
    """The largest edge ratio ηS/2 at the largest step size, until the loss has risen for the last time."""
    run = only(runs).sel(step_size=_LARGE)
    last = int(np.flatnonzero(np.diff(run["loss"]) > 0)[-1])
    return float(_LARGE * run["sharpness"].values[: last + 1].max() / 2)


def _calm(runs: Runs) -> float:
    """The largest edge ratio in the second half."""
    run = only(runs)
    return float((run["step_size"] * run["sharpness"] / 2).isel(step=slice(run.sizes["step"] // 2, None)).max())


def _finite(step_size: float) -> Measure:
    """The share of steps with a finite loss."""
    return lambda runs: float(np.isfinite(only(runs)["loss"].sel(step_size=step_size)).mean())


def _along(runs: Runs) -> float:
    """The weight along the margin at the end ÷ that at a tenth of the steps, smallest."""
    run = only(runs)
    w = run["w"].isel(axis=0)
    if not np.isfinite(w.isel(step=-1)).all():
        raise EvidenceError("the weight along the margin", "it is not finite", "Take a smaller step size")
    return float((w.isel(step=-1) / w.isel(step=run.sizes["step"] // 10)).min())


# Across the margin the weight minimises e^(−0.9 v) + e^(0.5 v): what is left of the loss when the margin is large.
_BALANCED = math.log(0.9 / 0.5) / 1.4

THEOREM1 = (
    Claim("the loss falls as one over margin² × step size × time, at every step size", _SOURCE,
          of("logistic", _rate), Within(0.05)),
    Claim("at the smallest step size the loss never rises", _SOURCE, of("logistic", _rises(_SMALL)),
          Within(0, of=0)),
    Claim("at the largest it rises on the way", _SOURCE, of("logistic", _rises(_LARGE)), Within(0, of=7)),
    Claim("for the last time after a few steps", _SOURCE, of("logistic", _last_rise), Within(0, of=8)),
    Claim("while it rises, the sharpness has been above the edge", _SOURCE, of("logistic", _edge), AtLeast(1.0)),
    Claim("afterwards it is below", _SOURCE, of("logistic", _calm), AtMost(1.0)),
    Claim("the weight along the margin grows without bound", _SOURCE, of("logistic", _along), AtLeast(1.02)),
    Claim("the weight across it settles where the two samples balance", _SOURCE, of("logistic", _across),
          Within(0.01, of=_BALANCED, relative=True)),
    Claim("so the direction turns to the largest margin", _SOURCE, of("logistic", _turning), AtMost(0.98)),
    Claim("the exponential loss blows up at the largest step size", "wu2023implicit, Theorem 4.2",
          of("exponential", _finite(_LARGE)), AtMost(0.1),
          counter=Claim("so does the logistic loss", "wu2023implicit, Theorem 4.2",
                        of("logistic", _finite(_LARGE)), AtMost(0.1))),
    Claim("and does not at the smallest", "wu2023implicit, Theorem 4.2", of("exponential", _finite(_SMALL)),
          Within(0, of=1)),
)  # fmt: skip
