"""The series of a run, checked and cleaned: which rows carry a reading, and how far it can be trusted."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgewise.foundation import SettingError

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

# A bound wider than this share of the critical curvature can hide on which side of the edge a reading
# lies; a narrower one still says "at the edge", which is a band of ±5 %.
WIDE_BOUND = 0.05


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The rows of a run, and the sharpness readings among them.

    Attributes:
        step: of every row.
        loss: of every row; NaN where it was not read.
        critical: the critical curvature of every row; NaN where it is not known.
        at: the rows that carry a trusted reading, as indices.
        ratio: the edge ratio of those.
        uncertain: how many readings were set aside because of their bounds.
        median_bound: the median bound ÷ critical curvature, or None.
    """

    step: Integers
    loss: Reals
    critical: Reals
    at: Integers
    ratio: Reals
    uncertain: int
    median_bound: float | None

    def loss_at(self, row: int) -> float | None:
        """The last finite loss read by this row, or else the first one after it."""
        finite = np.flatnonzero(np.isfinite(self.loss))
        if finite.size == 0:
            return None
        by_then = finite[finite <= row]
        return float(self.loss[by_then[-1] if by_then.size else finite[0]])


def read_series(
    step: ArrayLike,
    loss: ArrayLike,
    sharpness: ArrayLike,
    critical_curvature: ArrayLike | float,
    bounds: ArrayLike | None,
) -> Series:
    """Check the arrays against each other and find the readings.

    Raises:
        SettingError: if there is no row, the lengths differ, steps do not increase, or a critical
            curvature is not positive.
    """
    steps = np.atleast_1d(np.asarray(step)).astype(np.int64)
    rows = steps.shape
    if steps.size == 0:
        raise SettingError("a series without rows", "there is no step to diagnose", "Give at least one step")
    if np.any(np.diff(steps) <= 0):
        raise SettingError(
            "steps that do not increase", "a phase is a stretch of steps in order", "Sort the rows by step"
        )
    critical = np.asarray(critical_curvature, dtype=np.float64)
    critical = np.full(rows, critical) if critical.ndim == 0 else critical
    columns = {
        "loss": np.asarray(loss, dtype=np.float64),
        "sharpness": np.asarray(sharpness, dtype=np.float64),
        "critical_curvature": critical,
        "bounds": np.zeros(rows) if bounds is None else np.asarray(bounds, dtype=np.float64),
    }
    for name, column in columns.items():
        if column.shape != rows:
            raise SettingError(
                f"{name} of shape {column.shape} beside {steps.size} steps",
                "each series has one number a step",
                "Fill steps without a reading with nan; of several eigenvalues give the largest",
            )
    if np.any(critical <= 0):
        raise SettingError(
            f"critical_curvature={critical[critical <= 0][0]}",
            "a method loses stability at a positive curvature",
            "Give method.critical_curvature",
        )
    read = np.flatnonzero(np.isfinite(columns["sharpness"]) & np.isfinite(critical))
    ratio = columns["sharpness"][read] / critical[read]
    # A reading whose bound is unknown is as uncertain as one can be.
    bound = np.nan_to_num(columns["bounds"][read] / critical[read], nan=np.inf)
    trusted = (bound <= WIDE_BOUND) | (np.abs(ratio - 1.0) > bound)
    return Series(
        step=steps,
        loss=columns["loss"],
        critical=critical,
        at=read[trusted],
        ratio=ratio[trusted],
        uncertain=int(np.count_nonzero(~trusted)),
        median_bound=None if bounds is None or read.size == 0 else float(np.median(bound)),
    )
