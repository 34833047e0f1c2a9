"""How a series stands to another one and to time: hovering, growing, falling, alternating."""

import numpy as np
import xarray as xr
from scipy.stats import spearmanr

from edgewise.claims.claim import Measure, Runs
from edgewise.claims.measures.series import Moment, Reals, only, readings, together, values
from edgewise.foundation import EvidenceError

_FEWEST = 3  # readings from which a trend can be told


def hovering_at(
    name: str,
    level: str | float | int,
    *,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Measure:
    """The median of a series ÷ a level; 1 is hovering exactly there.

    Args:
        name: of the series.
        level: another series, or a number.
        process: whose; None takes the first.
        after: the first step that counts.
        until: the last one.
    """
    return lambda runs: float(np.median(_ratio(only(runs), name, level, process, after, until)))


def mean_ratio(
    name: str,
    level: str | float | int,
    *,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Measure:
    """The mean of a series ÷ a level, reading by reading."""
    return lambda runs: float(np.mean(_ratio(only(runs), name, level, process, after, until)))


def ratio_of_time_means(
    name: str,
    other: str,
    *,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Measure:
    """⟨a⟩ ÷ ⟨b⟩: the time mean of a series ÷ that of another one, over the steps at which both were read."""

    def measure(runs: Runs) -> float:
        one, two = together(only(runs), name, other, process, after, until)
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.mean(one.values) / np.mean(two.values))

    return measure


def rank_correlation(
    name: str,
    against: str = "time",
    *,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Measure:
    """Spearman's rank correlation of a series with time, or with another series; 1 is growing all the way."""

    def measure(runs: Runs) -> float:
        series = readings(only(runs), name, process, after, until)
        if against == "time":
            return _spearman(series["step"].values.astype(np.float64), series.values)
        series, other = together(only(runs), name, against, process, after, until)
        return _spearman(other.values, series.values)

    return measure


def slope_of(
    name: str,
    *,
    log: bool = False,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Measure:
    """The least-squares slope of a series, or of the logarithm of its magnitude, a step."""

    def measure(runs: Runs) -> float:
        series = readings(only(runs), name, process, after, until)
        _enough(series.values)
        if log and not series.values.all():
            raise EvidenceError(
                f"the logarithm of {name}", "it is zero at some step", "Look at it before, with until="
            )
        y = np.log(np.abs(series.values)) if log else series.values
        return float(np.polyfit(series["step"].values, y, 1)[0])

    return measure


def period_two(
    name: str, *, process: str | None = None, after: Moment | None = None, until: Moment | None = None
) -> Measure:
    """The median of |xₜ₊₂ − xₜ| ÷ the median of |xₜ₊₁ − xₜ|: 0 for an exact two-cycle, 2 for a straight line.

    It takes readings at successive steps: of every second one, a two-cycle looks as if it stood still.
    """

    def measure(runs: Runs) -> float:
        x = _successive(readings(only(runs), name, process, after, until), name)
        once = float(np.median(np.abs(np.diff(x))))
        if once == 0:
            raise EvidenceError(
                f"a period of {name}", "it does not change from step to step", "Take another stretch of the run"
            )
        return float(np.median(np.abs(x[2:] - x[:-2]))) / once

    return measure


def alternating(
    name: str, *, process: str | None = None, after: Moment | None = None, until: Moment | None = None
) -> Measure:
    """The share of steps in which a series changes its sign; it takes readings at successive steps."""

    def measure(runs: Runs) -> float:
        x = _successive(readings(only(runs), name, process, after, until), name)
        return float((np.sign(x[1:]) * np.sign(x[:-1]) < 0).mean())

    return measure


def window_decreases(
    name: str,
    *,
    windows: int = 20,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Measure:
    """The share of consecutive windows, of `windows` equal ones, in which the mean of the series goes down."""

    def measure(runs: Runs) -> float:
        x = values(only(runs), name, process, after, until)
        if len(x) < 2 * windows:
            raise EvidenceError(f"{len(x)} readings of {name}", f"{windows} windows need more", "Take more steps")
        means = np.array([part.mean() for part in np.array_split(x, windows)])
        return float((np.diff(means) < 0).mean())

    return measure


def _ratio(
    run: xr.Dataset,
    name: str,
    level: str | float | int,
    process: str | None,
    after: Moment | None,
    until: Moment | None,
) -> Reals:
    if isinstance(level, str):
        series, bar = together(run, name, level, process, after, until)
    else:
        series = readings(run, name, process, after, until)
        bar = xr.full_like(series, level, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite, or no number, is what a verdict can tell
        return np.asarray(series.values / bar.values)


def _spearman(x: Reals, y: Reals) -> float:
    _enough(x)
    if np.ptp(y) == 0 or np.ptp(x) == 0:
        raise EvidenceError(
            "a rank correlation", "one of the two never changes", "Take another stretch of the run"
        )
    return float(spearmanr(x, y).statistic)


def _successive(series: xr.DataArray, name: str) -> Reals:
    _enough(series.values)
    if (np.diff(series["step"].values) != 1).any():
        raise EvidenceError(
            f"how {name} goes from step to step", "it was not read at every one", "Read it at every step"
        )
    return np.asarray(series.values, dtype=np.float64)


def _enough(x: Reals) -> None:
    if len(x) < _FEWEST:
        raise EvidenceError(
            f"a trend of {len(x)} readings",
            f"it takes {_FEWEST} to tell one",
            "Take more steps, or read more often",
        )
