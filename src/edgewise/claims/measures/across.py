"""From measures of one run to a measure of many: one of them, the worst of them, their order."""

import math
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
    """One measure ÷ another one.

    It raises `EvidenceError` where that is zero.
    """

    def quotient(runs: Runs) -> float:
        divisor = denominator(runs)
        if divisor == 0:
            raise EvidenceError("a ratio of two measures", "the second one is zero", "Compare them by difference")
        return numerator(runs) / divisor

    return quotient


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
        values = _each(runs, measure) if names is None else [of(name, measure)(runs) for name in names]
        if len(values) < 3 or len(set(values)) < 2:
            raise EvidenceError(
                f"the order of {len(values)} runs", "it takes three that differ", "Let the recipe make more"
            )
        return float(spearmanr(np.arange(len(values)), values).statistic)

    return correlation


def exponent(measure: Measure, against: Measure) -> Measure:
    """The power p in measure ∝ againstᵖ, by least squares of the logarithms over all runs."""

    def fitted(runs: Runs) -> float:
        positions, sizes = _each(runs, against), _each(runs, measure)
        if not all(0 < value < math.inf for value in (*positions, *sizes)):
            raise EvidenceError(
                f"an exponent from {', '.join(f'{value:g}' for value in (*positions, *sizes))}",
                "a power law has positive numbers only",
                "Choose the runs with among(chosen, measure)",
            )
        x, y = np.log(positions), np.log(sizes)
        if len(x) < 2 or np.ptp(x) == 0:
            raise EvidenceError(
                f"an exponent from {len(x)} runs", "it takes two that differ", "Let the recipe make more"
            )
        return float(np.polyfit(x, y, 1)[0])

    return fitted


def _each(runs: Runs, measure: Measure) -> list[float]:
    if not runs:
        raise EvidenceError("a measure over all runs", "there is none", "Let the recipe make one")
    found = {name: measure({name: run}) for name, run in runs.items()}
    # The largest of numbers among which is a NaN depends on their order.
    if lost := [name for name, value in found.items() if math.isnan(value)]:
        raise EvidenceError(f"the run {lost[0]!r}", "the effect is not a number there", "Look at its record")
    return list(found.values())
