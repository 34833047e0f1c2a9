"""Sharpness rises to the critical curvature of the method and stays there."""

import numpy as np

from edgewise.claims import (
    AtLeast,
    AtMost,
    Between,
    Claim,
    Measure,
    Runs,
    Within,
    among,
    at_share,
    crossing,
    exponent,
    farthest,
    first,
    hovering_at,
    increases,
    largest,
    last,
    last_above,
    maximum,
    mean_ratio,
    median,
    ratio,
    readings,
    smallest,
    window_decreases,
)
from edgewise.foundation import EvidenceError

FIG5 = "cohen2021gradient, Figure 5"
_MOMENTUM = "cohen2021gradient, Section 3.5"
FLOW = "gradient flow"

EDGE = crossing("sharpness", "critical_curvature")
"""The first reading above the critical curvature."""

LEFT = last_above("sharpness", "critical_curvature", share=0.95)
"""The last reading that is still near it: with the cross-entropy the edge is left again."""

AT_EDGE = hovering_at("sharpness", "critical_curvature", after=EDGE)
LEVEL = median("sharpness", after=EDGE)
CRITICAL = last("critical_curvature")


def descents(loss: str, measure: Measure) -> Measure:
    """The measure of the runs of gradient descent on one loss."""
    return among(lambda name: name.startswith(loss) and FLOW not in name, measure)


def flow(loss: str, measure: Measure) -> Measure:
    """The measure of the gradient flow on one loss."""
    return among(lambda name: name.startswith(loss) and FLOW in name, measure)


def spread_in_time(runs: Runs) -> float:
    """The largest relative spread of the sharpness among runs at equal times, while none is near its edge.

    Compared is where all have less than 0.8 times the lowest critical curvature.
    """
    series = [readings(run, "sharpness") for run in runs.values()]
    bar = 0.8 * min(CRITICAL({name: run}) for name, run in runs.items())
    times, values = [one["time"].values for one in series], [one.values for one in series]
    ends = [t[np.argmax(s > bar)] if (s > bar).any() else t[-1] for t, s in zip(times, values, strict=True)]
    grid = np.linspace(max(t[0] for t in times), min(ends), 100)
    if len(runs) < 2 or grid[-1] <= grid[0]:
        raise EvidenceError(
            f"the spread of {len(runs)} runs", "there is no time at which they can be compared", "Take more runs"
        )
    curves = np.array([np.interp(grid, t, s) for t, s in zip(times, values, strict=True)])
    return float((np.ptp(curves, axis=0) / curves.mean(axis=0)).max())


def times_gradient_descent(runs: Runs) -> float:
    """The median sharpness at the edge ÷ 2/η, whatever the method, of the run that comes nearest to one."""
    ratios = [LEVEL({name: run}) * float(readings(run, "step_size").values[0]) / 2 for name, run in runs.items()]
    return min(ratios, key=lambda value: abs(value - 1))


RANGE = (
    Claim(
        "squared error: once there, the sharpness hovers at 2/η, for every step size",
        FIG5,
        descents("mse", farthest(AT_EDGE)),
        Within(0.05),
        counter=Claim(
            "it ends at one sharpness, whatever the step size",
            FIG5,
            descents("mse", exponent(LEVEL, CRITICAL)),
            Within(0.25, of=0.0),
        ),
    ),
    Claim(
        "squared error: at the iterates it lies just above, in the mean",
        FIG5,
        descents("mse", farthest(mean_ratio("sharpness", "critical_curvature", after=EDGE))),
        Between(0.97, 1.15),
    ),
    Claim(
        "squared error: at equal times all step sizes have the same sharpness until they near their edges",
        FIG5,
        descents("mse", spread_in_time),
        AtMost(0.05),
    ),
    Claim(
        "squared error: gradient flow goes beyond all of these edges",
        FIG5,
        ratio(flow("mse", maximum("sharpness")), descents("mse", largest(CRITICAL))),
        AtLeast(1.0),
    ),
    Claim(
        "squared error: at the edge the loss goes up from time to time, at every step size",
        FIG5,
        descents("mse", smallest(increases("loss", after=EDGE))),
        AtLeast(1),
    ),
    Claim(
        "squared error: and yet it falls in the long run",
        FIG5,
        descents("mse", smallest(window_decreases("loss", windows=20))),
        AtLeast(0.9),
    ),
    Claim(
        "squared error: the edge is not left any more",
        FIG5,
        descents("mse", smallest(hovering_at("sharpness", "critical_curvature", after=at_share(0.9)))),
        AtLeast(0.95),
    ),
    Claim(
        "cross-entropy: between its arrival and its last visit the sharpness hovers at 2/η",
        FIG5,
        descents("ce", farthest(hovering_at("sharpness", "critical_curvature", after=EDGE, until=LEFT))),
        Within(0.05),
    ),
    Claim(
        "cross-entropy: late in training the sharpness falls below 2/η",
        FIG5,
        descents("ce", largest(ratio(last("sharpness"), CRITICAL))),
        AtMost(0.8),
    ),
    Claim(
        "cross-entropy: it does so when the samples are fitted",
        FIG5,
        descents("ce", largest(ratio(last("loss"), first("loss")))),
        AtMost(0.1),
    ),
)


def _momentum(kind: str, formula: str) -> Claim:
    def chosen(measure: Measure) -> Measure:
        return among(lambda name: name.startswith(kind), measure)

    return Claim(
        f"{kind}'s momentum: the sharpness hovers at {formula}",
        _MOMENTUM,
        chosen(farthest(AT_EDGE)),
        Within(0.05),
        counter=Claim(
            "it hovers at 2/η, as without momentum", _MOMENTUM, chosen(times_gradient_descent), Within(0.05)
        ),
    )


MOMENTUM = (
    _momentum("Polyak", "(2+2β)/η"),
    _momentum("Nesterov", "(2+2β)/((1+2β)η)"),
    Claim(
        "the level is in proportion to the threshold, from either kind and both step sizes",
        _MOMENTUM,
        exponent(LEVEL, CRITICAL),
        Within(0.1),
    ),
)
