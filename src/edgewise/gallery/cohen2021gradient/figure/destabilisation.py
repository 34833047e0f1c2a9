"""The crossing of 2/η from nearby."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgewise.claims import Runs
from edgewise.figures import FAINT, PALETTE, Curve, Film, Level, Panel, film, plate

_AROUND = (20, 150)


def fig4(runs: Runs) -> Figure:
    """Sharpness and loss of the whole run, and the oscillation after the crossing."""
    run = runs["gd"]
    step, crossing = run["step"].values, int(run["crossing"])
    critical = float(run["critical_curvature"])
    sharpness, place = run["sharpness"].values, run["place"].values
    read = np.isfinite(sharpness)
    near = (crossing - _AROUND[0], crossing + _AROUND[1])
    wave = _wave(run)
    close = (step >= near[0]) & (step <= near[1])
    level = Level(critical, "2/η")
    return plate(
        [
            Panel(
                x="step",
                y="sharpness",
                curves=[Curve(step[read], sharpness[read], None, PALETTE[0])],
                levels=[level],
                ylim=(0.0, 1.5 * critical),
                title="all of the run",
            ),
            Panel(
                x="step",
                y="training loss",
                curves=[Curve(step, run["loss"].values, None, PALETTE[0])],
                log="y",
                title="all of the run",
            ),
            Panel(
                x="step",
                y="sharpness",
                curves=[Curve(step[read & close], sharpness[read & close], None, PALETTE[0])],
                levels=[level],
                xlim=near,
                title="around the crossing",
            ),
            Panel(
                x="step",
                y="iterate along the top eigenvector",
                curves=[
                    Curve(step[close], place[close], "from the iterate at the crossing", FAINT, "thin"),
                    Curve(step[close], wave[close], "from the two-step mean", PALETTE[1]),
                ],
                xlim=near,
                title="around the crossing",
            ),
        ],
        title="Past 2/η the iterate oscillates, and the oscillation grows until the sharpness is driven back",
        text="The eigenvector is that of the largest eigenvalue at the first step at which it exceeds 2/η.",
    )


def fig4_film(runs: Runs) -> Film:
    """The iterate in its valley, around the crossing."""
    run = runs["gd"]
    series = {
        "loss": run["loss"].values,
        "critical_curvature": np.full(run.sizes["step"], float(run["critical_curvature"])),
        "oscillation": _wave(run),
    }
    dataset = xr.Dataset({name: (("process", "step"), x[None]) for name, x in series.items()})
    sharpness = (("process", "step", "rank"), run["sharpness"].values[None, :, None])
    return film(
        dataset.assign(sharpness=sharpness).assign_coords(process=["gd"], step=run["step"].values),
        title="Past 2/η the iterate bounces, until the sharpness is driven back",
    )


def _wave(run: xr.Dataset) -> NDArray[np.float64]:
    """The place along the eigenvector from the mean of its neighbours: ⟨u, wₜ − (wₜ₋₁ + 2wₜ + wₜ₊₁)/4⟩."""
    place = run["place"].values
    wave = np.full_like(place, np.nan)
    wave[1:-1] = (2 * place[1:-1] - place[2:] - place[:-2]) / 4
    return wave
