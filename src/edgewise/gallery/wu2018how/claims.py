"""Gradient descent stays at a minimum that SGD leaves, because the samples disagree about its curvature."""

import numpy as np

from edgewise.claims import AtLeast, Claim, Runs, Within, of

_SOURCE = "wu2018how, Figure 2"
_NEAR = 1e-3


def _fraction_at_zero(runs: Runs) -> float:
    """The share of SGD's paths that end at 0."""
    (run,) = runs.values()
    return float((np.abs(run["sgd"].isel(step=-1)) < _NEAR).mean())


def _end_of_gd(runs: Runs) -> float:
    (run,) = runs.values()
    return float(run["gd"].isel(step=-1))


def _burst(runs: Runs) -> float:
    """The median over paths of the largest loss on the way."""
    (run,) = runs.values()
    return float(run["sgd_loss"].max("step").median())


ESCAPE = (
    Claim("gradient descent stays at the minimum at 1", _SOURCE, of("paths", _end_of_gd), Within(1e-4, of=1.0)),
    Claim("SGD leaves it and ends at 0", _SOURCE, of("paths", _fraction_at_zero), AtLeast(0.99)),
    Claim("the loss bursts on the way out", _SOURCE, of("paths", _burst), AtLeast(0.05)),
)
