"""The page of a training that was watched: it has no recipe, and whatever a watch has read of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich import box
from rich.table import Table
from rich.text import Text

from edgewise.cli.table import plus_minus

if TYPE_CHECKING:
    from edgewise.dynamics import Run

VERDICT = "verdict"
"""The kind of the event that holds what the watch said last."""

_SHOWN = (
    "effective_sharpness",
    "mean_square_sharpness",
    "batch_sharpness",
    "gradient_curvature",
    "critical_sharpness",
)
# Of the others it is told how often they were read: their values mean little by themselves.
_READ = ("loss", *_SHOWN, "secant_curvature", "gradient_norm", "update_norm")


def was_watched(run: "Run") -> bool:
    """Whether it is a training of somebody else's."""
    return bool(run.manifest.get("watched"))


def said(run: "Run") -> str | None:
    """What the watch said last; None if nothing of it was kept."""
    return next((event.text for event in reversed(run.record.events) if event.kind == VERDICT), None)


def facts_of_readings(dataset: xr.Dataset) -> Iterator[tuple[str, str]]:
    """What was read, how often, and at which steps the loss had spikes."""
    counts = {name: int(np.isfinite(_values(dataset, name)).sum()) for name in _READ}
    read = [f"{name.replace('_', ' ')} {_times(count)}" for name, count in counts.items() if count]
    yield "read", ", ".join(read) or "nothing"
    spikes = dataset["step"].values[_values(dataset, "spike") > 0]
    if len(spikes):
        yield "spikes", f"at step{'s' * (len(spikes) > 1)} {', '.join(f'{step:,}' for step in spikes)}"


def table_of_readings(dataset: xr.Dataset, count: int) -> Table:
    """`count` of the steps at which an edge ratio was read, the first and the last among them, a row each."""
    ratios, losses = _values(dataset, "edge_ratio"), _values(dataset, "loss")
    names = [name for name in _SHOWN if np.isfinite(_values(dataset, name)).any()]
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in ("step", "loss", *(name.replace("_", " ") for name in names), "edge ratio"):
        out.add_column(heading, justify="right")
    known = np.isfinite(ratios)
    read = np.flatnonzero(known if known.any() else np.isfinite(losses))
    for i in read[np.unique(np.linspace(0, len(read) - 1, count).round().astype(int))] if len(read) else read:
        values = [_cell(dataset, name, int(i)) for name in names]
        ratio = _ratio(ratios[i])
        loss = f"{losses[i]:.4g}" if np.isfinite(losses[i]) else "–"
        out.add_row(*(Text(cell) for cell in (f"{dataset['step'].values[i]:,}", loss, *values, ratio)))
    return out


def _ratio(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return "< 0.001" if 0 < value < 0.001 else f"{value:.3f}"


def _cell(dataset: xr.Dataset, name: str, i: int) -> str:
    value, bound = _values(dataset, name)[i], _values(dataset, f"{name}_bound")[i]
    return plus_minus(float(value), float(bound)) if np.isfinite(value) else "–"


def _values(dataset: xr.Dataset, name: str) -> NDArray[np.float64]:
    """A series over the steps; NaN where it was not read."""
    if name not in dataset or not dataset.sizes["process"]:
        return np.full(dataset.sizes["step"], np.nan)
    return np.asarray(dataset[name].isel(process=0).values, np.float64)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
