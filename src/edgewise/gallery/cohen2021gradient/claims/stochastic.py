"""The smaller the batches, the lower the sharpness at which stochastic gradient descent stays."""

from collections.abc import Callable

from edgewise.claims import (
    AtLeast,
    AtMost,
    Between,
    Claim,
    Measure,
    Runs,
    among,
    at_share,
    farthest,
    largest,
    mean,
    mean_ratio,
    order,
)

_FIG29 = "cohen2021gradient, Figure 29"
_PLATEAU = at_share(0.5)


def _step_size(name: str) -> str:
    return name.split(",")[0]


def _batch(name: str) -> int:
    return int(name.split()[-1])


def weakest_order(runs: Runs) -> float:
    """The lowest, over step sizes, of the rank correlations of batch size and mean sharpness on the plateau."""
    kinds = {_step_size(name) for name in runs}
    return min(
        among(lambda name, kind=kind: _step_size(name) == kind, order(mean("sharpness", after=_PLATEAU)))(runs)  # type: ignore[misc]
        for kind in kinds
    )


def _chosen(choose: Callable[[list[int]], int], measure: Measure) -> Measure:
    """The measure of the runs with the batches that are chosen from all sizes."""

    def one(runs: Runs) -> float:
        size = choose([_batch(name) for name in runs])
        return among(lambda name: _batch(name) == size, measure)(runs)

    return one


_RATIO = mean_ratio("sharpness", "critical_curvature", after=_PLATEAU)

BATCHES = (
    Claim(
        "on the plateau the sharpness of the full loss grows with the batch size, for every step size",
        _FIG29,
        weakest_order,
        AtLeast(1.0 - 1e-9),  # the right order, up to the rounding of the correlation
    ),
    Claim("with the smallest batches it stays below 2/η", _FIG29, _chosen(min, largest(_RATIO)), AtMost(0.95)),
    Claim("with all samples at once it is at 2/η", _FIG29, _chosen(max, farthest(_RATIO)), Between(0.97, 1.15)),
)
