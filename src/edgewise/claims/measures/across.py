"""From measures of one run to a measure of many: one of them, the worst of them, their order."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

from edgewise.claims.claim import Measure, Runs
from edgewise.foundation import EvidenceError


def of(name: str, measure: Measure) -> Measure:
    """The measure of the run of that name.

    It raises `EvidenceError` where the records hold none.
    """

    def one(runs: Runs) -> float:
        if name not in runs:
            raise EvidenceError(f"the run {name!r}", "the recipe made none", f"Choose from {', '.join(runs)}")
        return measure({name: runs[name]})

    return one


def among(chosen: Callable[[str], bool], measure: Measure) -> Measure:
    """The measure of those runs whose names are chosen."""
    return lambda runs: measure({name: run for name, run in runs.items() if chosen(name)})


def largest(measure: Measure) -> Measure:
    """The largest over all runs."""
    return lambda runs: max(_each(runs, measure))


def smallest(measure: Measure) -> Measure:
    """The smallest over all runs."""
    return lambda runs: min(_each(runs, measure))


def farthest(measure: Measure, *, of: float | int = 1.0) -> Measure:
    """The one that lies farthest from `of`, over all runs: if it is near, they all are."""
    return lambda runs: max(_each(runs, measure), key=lambda value: abs(value - of))


def ratio(numerator: Measure, denominator: Measure) -> Measure:
    """One measure ÷ another one."""
    return lambda runs: numerator(runs) / denominator(runs)


def difference(minuend: Measure, subtrahend: Measure) -> Measure:
    """One measure − another one."""
    return lambda runs: minuend(runs) - subtrahend(runs)


def order(measure: Measure, names: Sequence[str] | None = None) -> Measure:
    """Spearman's rank correlation of a measure with the order of the runs; 1 if it grows from each to the next.

    Args:
        measure: of one run.
        names: the order of the runs; None takes that of the recipe.
    """

    def correlation(runs: Runs) -> float:
        chosen = runs if names is None else {name: runs[name] for name in names}
        values = _each(chosen, measure)
        if len(values) < 3 or np.ptp(values) == 0:
            raise EvidenceError(
                f"the order of {len(values)} runs", "it takes three that differ", "Let the recipe make more"
            )
        return float(spearmanr(np.arange(len(values)), values).statistic)

    return correlation


def exponent(measure: Measure, against: Measure) -> Measure:
    """The power p in measure ∝ againstᵖ, by least squares of the logarithms over all runs."""

    def fitted(runs: Runs) -> float:
        x, y = np.log(_each(runs, against)), np.log(_each(runs, measure))
        if len(x) < 2 or np.ptp(x) == 0:
            raise EvidenceError(
                f"an exponent from {len(x)} runs", "it takes two that differ", "Let the recipe make more"
            )
        return float(np.polyfit(x, y, 1)[0])

    return fitted


def _each(runs: Runs, measure: Measure) -> list[float]:
    if not runs:
        raise EvidenceError("a measure over all runs", "there is none", "Let the recipe make one")
    return [measure({name: run}) for name, run in runs.items()]
