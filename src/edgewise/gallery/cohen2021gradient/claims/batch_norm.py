"""With batch normalisation it is the curvature along the step that sits at 2/η."""

import numpy as np

from edgewise.claims import (
    AtMost,
    Claim,
    Runs,
    Within,
    crossing,
    farthest,
    hovering_at,
    only,
    order,
    readings,
)
from edgewise.foundation import EvidenceError

_FIG90 = "cohen2021gradient, Figure 90"
_THERE = crossing("sharpness_along_step", "critical_curvature")


def steps_to_fit(runs: Runs) -> float:
    """The steps until 99 % of the samples are fitted."""
    series = readings(only(runs), "accuracy")
    fitted = series["step"].values[np.asarray(series.values > 0.99)]
    if not fitted.size:
        raise EvidenceError(
            "the steps to an accuracy of 99 %", f"the run ends at {float(series[-1]):.3f}", "Take more steps"
        )
    return float(fitted[0])


def order_of_speed(runs: Runs) -> float:
    """The rank correlation of the step size with the steps to fit; the runs are ordered by falling step size."""
    return -order(steps_to_fit)(runs)


BATCH_NORM = (
    Claim(
        "the largest curvature along the step sits at 2/η, for every step size",
        _FIG90,
        farthest(hovering_at("sharpness_along_step", "critical_curvature", after=_THERE)),
        Within(0.1),
    ),
    Claim(
        "the effective smoothness along the step sits at 2/η, for every step size",
        _FIG90,
        farthest(hovering_at("effective_smoothness", "critical_curvature", after=_THERE)),
        Within(0.1),
    ),
    Claim(
        "the larger the step size, the fewer steps it takes to fit the samples",
        _FIG90,
        order_of_speed,
        AtMost(-1.0 + 1e-9),
    ),
)
