"""Distance from the sparse solution, final sharpness and gain over the step size, for both methods."""

import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate

_NAMES = {"gd": "gradient descent", "sgd": "SGD, batches of one"}
_AXIS = "step size γ × sharpness of the sparse end ÷ 2"


def sparse_regression(runs: Runs) -> Figure:
    """Every data set thin, the medians thick; no value where a method did not converge."""
    height = (1e-3, 3.0)
    edge = Curve([1, 1], height, "edge", INK, "dashes")
    return plate(
        [
            Panel(
                x=_AXIS,
                y="‖w − w*‖ at the end",
                curves=[*_curves(runs, "distance"), edge],
                log="xy",
                ylim=height,
            ),
            Panel(
                x=_AXIS,
                y="final sharpness ÷ (2/γ)",
                curves=_curves(runs, "edge_ratio", named=False),
                levels=[Level(1.0, "critical curvature 2/γ")],
                log="x",
                ylim=(0, 1.3),
            ),
            Panel(x=_AXIS, y="gain, mean of the coordinates", curves=_curves(runs, "gain", named=False), log="xy"),
            Panel(
                x=_AXIS,
                y="gain: support ÷ elsewhere",
                curves=_curves(runs, "gain_on_support", named=False),
                levels=[Level(1.0, "even")],
                log="xy",
            ),
        ],
        title="Large steps bring SGD to the sparse solution, and take gradient descent away",
        text="Sparse regression with u ⊙ v, n = 20, d = 30, three nonzero weights. Gradient descent is hindered "
        "from the edge of stability on, where the sparse end is unstable.",
    )


def _curves(runs: Runs, name: str, *, named: bool = True) -> list[Curve]:
    curves = []
    for i, (method, run) in enumerate(runs.items()):
        series: xr.DataArray = run[name]
        multiple = series["multiple"].values
        curves += [Curve(multiple, one, None, PALETTE[i], "thin") for one in series.values]
        legend = _NAMES[method] if named else None
        # A median of those that converge, where most do.
        most = series.notnull().mean("data") > 0.5
        curves.append(Curve(multiple, series.median("data").where(most).values, legend, PALETTE[i]))
    return curves
