"""Moments of a run: the steps between which a measure looks."""

import math

import numpy as np
import xarray as xr

from edgewise.claims.measures.series import Moment, process_of, readings
from edgewise.diagnosis import diagnose
from edgewise.foundation import EvidenceError, SettingError


def onset_of(phase: str) -> Moment:
    """The first step of a phase of the run, as the diagnosis cuts it.

    Args:
        phase: as in `edgewise.diagnosis.Kind`: "edge", "sharpening", "catapult" …

    The moment raises `EvidenceError` for a run that never is in that phase.
    """

    def step(run: xr.Dataset, process: str | None) -> float:
        one = process_of(run, process)
        sharpness = "effective_sharpness" if "effective_sharpness" in one else "sharpness"
        taken = readings(run, "critical_curvature", process)["step"]
        at = one.sel(step=taken)
        ranked = at[sharpness].isel(rank=0) if "rank" in at[sharpness].dims else at[sharpness]
        found = diagnose(
            at["step"].values,
            np.asarray(at["loss"].values, dtype=np.float64),
            np.asarray(ranked.values, dtype=np.float64),
            np.asarray(at["critical_curvature"].values, dtype=np.float64),
        )
        for part in found.phases:
            if part.kind == phase:
                return float(part.start)
        raise EvidenceError(
            f"the onset of the phase {phase!r}",
            f"the run went through {', '.join(part.kind for part in found.phases)}",
            "Take a larger step size, or more steps",
        )

    return step


def crossing(name: str, level: str | float | int, *, share: float | int = 1.0) -> Moment:
    """The first step at which a series exceeds `share` × a level.

    Args:
        name: of the series.
        level: another series, or a number.
        share: of the level.

    The moment raises `EvidenceError` for a run that never does.
    """

    def step(run: xr.Dataset, process: str | None) -> float:
        series = readings(run, name, process)
        bar = readings(run, level, process) if isinstance(level, str) else xr.full_like(series, level)
        series, bar = xr.align(series, bar)
        above = series["step"].values[np.asarray(series.values > share * bar.values)]
        if not above.size:
            raise EvidenceError(
                f"the crossing of {share:g} × {level} by {name}",
                f"the largest ratio read is {float((series / bar).max()):.3g}",
                "Take a larger step size, or more steps",
            )
        return float(above[0])

    return step


def last_above(name: str, level: str | float | int, *, share: float | int = 1.0) -> Moment:
    """The last step at which a series exceeds `share` × a level.

    The moment raises `EvidenceError` for a run in which it never does.
    """

    def step(run: xr.Dataset, process: str | None) -> float:
        series = readings(run, name, process)
        bar = readings(run, level, process) if isinstance(level, str) else xr.full_like(series, level)
        series, bar = xr.align(series, bar)
        above = series["step"].values[np.asarray(series.values > share * bar.values)]
        if not above.size:
            raise EvidenceError(
                f"the last step with {name} above {share:g} × {level}",
                "there is none",
                "Take a larger step size, or more steps",
            )
        return float(above[-1])

    return step


def at_share(share: float | int) -> Moment:
    """The step at which that share of the run is over.

    Raises:
        SettingError: if it is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise SettingError(f"at_share({share})", "a run goes from 0 to 1", "Type at_share(0.5) for its middle")
    return lambda run, process: math.ceil(share * float(readings(run, "loss", process)["step"].values[-1]))


def at_step(step: int) -> Moment:
    """That very step."""
    return lambda run, process: float(step)


def later(moment: Moment, *, steps: int = 0, share: float | int = 0.0) -> Moment:
    """A moment so many steps, or such a share of the steps that then remain, after another one."""

    def step(run: xr.Dataset, process: str | None) -> float:
        start = moment(run, process)
        end = float(readings(run, "loss", process)["step"].values[-1])
        return start + steps + share * (end - start)

    return step
