"""How flat and how fast, over the step size."""

import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate

_SHOWN = 16


def sweep(runs: Runs) -> Figure:
    """Final sharpness against gradient flow's and against 2/η; steps to converge."""
    run = runs["sweep"]
    eta = run["step_size"].values
    ratio, edge = run["sharpness"] / run["flow_sharpness"], run["step_size"] * run["sharpness"] / 2
    chosen = slice(None, None, max(1, run.sizes["start"] // _SHOWN))

    def curves(values: xr.DataArray, median: str) -> list[Curve]:
        several = values.isel(start=chosen).values.T
        return [
            *(
                Curve(eta, row, "single starts" if i == 0 else None, FAINT, "thin")
                for i, row in enumerate(several)
            ),
            Curve(eta, values.median("start").values, median, PALETTE[0]),
        ]

    return plate(
        [
            Panel(
                x="step size η",
                y="final sharpness ÷ gradient flow's",
                curves=curves(ratio, "median"),
                levels=[Level(1.0, "gradient flow", INK)],
            ),
            Panel(
                x="step size η",
                y="final edge ratio ηS/2",
                curves=curves(edge, "median"),
                levels=[Level(1.0, "2/η", INK)],
            ),
            Panel(
                x="step size η",
                y="steps until |r| < 10⁻⁶",
                curves=curves(run["steps"], "median"),
                log="y",
            ),
        ],
        title="Larger steps end flatter, and past the fastest one later",
        text="Each step multiplies the imbalances of a linear network of depth two by 1 − η²r², and with them the"
        " sharpness of the minimum that it ends in. Gradient flow leaves them alone.",
        columns=3,
    )
