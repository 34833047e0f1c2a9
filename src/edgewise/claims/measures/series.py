"""One run out of the records, one series out of a run, and simple numbers of a series."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims.claim import Measure, Runs
from edgewise.foundation import EvidenceError

Reals = NDArray[np.float64]

Moment = Callable[[xr.Dataset, str | None], float]
"""A step of a run, told from its record and the name of a process."""


def only(runs: Runs) -> xr.Dataset:
    """The record, where a measure reads a single run.

    Raises:
        EvidenceError: if there are several.
    """
    if len(runs) != 1:
        raise EvidenceError(
            f"the records {', '.join(runs) or '(none)'}",
            "this measure reads a single run",
            "Name it with of(name, measure), or combine all of them with largest(measure)",
        )
    return next(iter(runs.values()))


def process_of(run: xr.Dataset, process: str | None) -> xr.Dataset:
    """The readings of one process, by default the first.

    Raises:
        EvidenceError: if the record has no such process.
    """
    names = [str(name) for name in run["process"].values]
    if not names or (process is not None and process not in names):
        raise EvidenceError(
            f"the process {process!r}", "the record has none of that name", f"Choose from {', '.join(names)}"
        )
    return run.sel(process=names[0] if process is None else process)


def readings(
    run: xr.Dataset,
    name: str,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> xr.DataArray:
    """The readings of a series that has one number a step, those that were taken, along `step`.

    Args:
        run: the record.
        name: of the series; of a ranked one the first rank is taken.
        process: whose; None takes the first.
        after: the first step that counts.
        until: the last one.

    Raises:
        EvidenceError: if there is no reading.
    """
    one = process_of(run, process)
    if name not in one:
        raise EvidenceError(
            f"the series {name!r}", "the record has none of that name", f"Choose from {', '.join(map(str, one))}"
        )
    series = one[name].isel(rank=0) if "rank" in one[name].dims else one[name]
    series = series.where(np.isfinite(series), drop=True)
    first = after(run, process) if after is not None else -np.inf
    last = until(run, process) if until is not None else np.inf
    series = series.sel(step=(series["step"] >= first) & (series["step"] <= last))
    if not series.size:
        raise EvidenceError(
            f"the series {name!r}" + (f" from step {first:g}" if after is not None else ""),
            "there is no reading of it",
            "Let the run be longer, or read more often",
        )
    return series


def together(
    run: xr.Dataset,
    name: str,
    other: str,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> tuple[xr.DataArray, xr.DataArray]:
    """The readings of two series, at the steps at which both were read.

    Raises:
        EvidenceError: if there is no such step.
    """
    one, two = xr.align(readings(run, name, process, after, until), readings(run, other, process, after, until))
    if not one.size:
        raise EvidenceError(
            f"the series {name!r} beside {other!r}",
            "they were never read at the same step",
            "Read one as often as the other",
        )
    return one, two


def values(
    run: xr.Dataset,
    name: str,
    process: str | None = None,
    after: Moment | None = None,
    until: Moment | None = None,
) -> Reals:
    """The same as numbers, without their steps."""
    return np.asarray(readings(run, name, process, after, until).values, dtype=np.float64)


def _of_series(reduce: Callable[[Reals], float]) -> Callable[..., Measure]:
    def measure_of(
        name: str, *, process: str | None = None, after: Moment | None = None, until: Moment | None = None
    ) -> Measure:
        return lambda runs: reduce(values(only(runs), name, process, after, until))

    return measure_of


first = _of_series(lambda x: float(x[0]))
"""`first(series, *, process, after, until)`: its first reading."""

last = _of_series(lambda x: float(x[-1]))
"""`last(series, …)`: its last reading."""

mean = _of_series(lambda x: float(x.mean()))
"""`mean(series, …)`: the mean of its readings."""

median = _of_series(lambda x: float(np.median(x)))
"""`median(series, …)`: the median of its readings."""

maximum = _of_series(lambda x: float(x.max()))
"""`maximum(series, …)`: its largest reading."""

minimum = _of_series(lambda x: float(x.min()))
"""`minimum(series, …)`: its smallest reading."""

increases = _of_series(lambda x: float((np.diff(x) > 0).sum()))
"""`increases(series, …)`: how often a reading exceeds the one before it."""
