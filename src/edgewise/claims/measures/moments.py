"""Moments of a run: the steps between which a measure looks."""

import math

import numpy as np
import xarray as xr

from edgewise.claims.measures.series import Moment, Reals, process_of, readings, together
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

        def known(name: str) -> bool:
            return name in one and bool(np.isfinite(one[name]).any())

        # Of a preconditioned method it is the effective one that is critical. A record beside such a method has
        # the series too, but no reading of it.
        sharpness = "effective_sharpness" if known("effective_sharpness") else "sharpness"
        if sharpness == "sharpness" and "edge_ratio" in one and not known("edge_ratio"):
            raise EvidenceError(
                f"the onset of the phase {phase!r}",
                "the sharpness of a preconditioned method has no critical value",
                "Add EffectiveSharpness() to the probes",
            )
        critical = readings(run, "critical_curvature", process)
        critical = critical[critical.values > 0]  # it is zero where the gradient is, if a method divides by that
        series = readings(run, sharpness, process).reindex(step=critical["step"])
        found = diagnose(
            critical["step"].values,
            np.asarray(one["loss"].sel(step=critical["step"]).values, dtype=np.float64),
            np.asarray(series.values, dtype=np.float64),
            np.asarray(critical.values, dtype=np.float64),
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
        series, bar = _beside(run, name, level, process)
        above = series["step"].values[series.values > share * bar]
        if not above.size:
            raise EvidenceError(
                f"the crossing of {share:g} × {level} by {name}",
                f"the largest ratio read is {_largest_ratio(series, bar):.3g}",
                "Take a larger step size, or more steps",
            )
        return float(above[0])

    return step


def last_above(name: str, level: str | float | int, *, share: float | int = 1.0) -> Moment:
    """The last step at which a series exceeds `share` × a level.

    The moment raises `EvidenceError` for a run in which it never does.
    """

    def step(run: xr.Dataset, process: str | None) -> float:
        series, bar = _beside(run, name, level, process)
        above = series["step"].values[series.values > share * bar]
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


def _beside(
    run: xr.Dataset, name: str, level: str | float | int, process: str | None
) -> tuple[xr.DataArray, Reals]:
    """The readings of a series, and the level at each."""
    if not isinstance(level, str):
        series = readings(run, name, process)
        return series, np.full(series.shape, float(level))
    series, bar = together(run, name, level, process)
    return series, np.asarray(bar.values, dtype=np.float64)


def _largest_ratio(series: xr.DataArray, bar: Reals) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.max(series.values / bar))
