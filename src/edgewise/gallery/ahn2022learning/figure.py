"""Ends and ways of neurons, biases over the step size, and test accuracy."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, INK, PALETTE, Curve, Level, Panel, plate
from edgewise.gallery.ahn2022learning.recipe import SLOPES


def single_neuron(runs: Runs) -> Figure:
    """y² along the way from six starts, and the gap to 2/η over η."""
    paths, ends = runs["paths"], runs["ends"]
    eta = float(paths.attrs["step_size"])
    ways = [
        Curve(
            paths["step"].values,
            paths["square"].sel(share=share).values,
            f"y₀² − x₀² = {share:g} × 2/η",
            PALETTE[0] if share > 1 else FAINT,
            "line" if share > 1 else "thin",
        )
        for share in paths["share"].values
    ]
    above = ends["sharpness"].sel(share=ends["share"] > 1).isel(share=0)
    gaps: list[Curve] = []
    for i, (loss, (_, c)) in enumerate(SLOPES.items()):
        steps = ends["step_size"].values
        measured = 2 / steps - above.sel(loss=loss).values
        gaps += [
            Curve(steps, measured, f"{loss}, c = {c:.3g}", PALETTE[i], "dots"),
            Curve(steps, steps / (2 * c), None, PALETTE[i], "dashes"),
        ]
    return plate(
        [
            Panel(
                x="step",
                y="y²",
                curves=ways,
                levels=[Level(2 / eta, "critical curvature 2/η")],
                title=f"log cosh(xy), η = {eta:g}",
                ylim=(0, 5.5 / eta),
            ),
            Panel(x="step size η", y="2/η − final sharpness", curves=gaps, log="xy", title="dashes: η/(2c)"),
        ],
        title="Above the threshold a neuron forgets its start and stops just below 2/η",
        text="At (0, y) the sharpness is y². Below 2/η the neuron keeps y² − x², as gradient flow does.",
    )


def mean_model(runs: Runs) -> Figure:
    """The bias at the end, over the step size."""
    run = runs["ends"]
    ratio = run["ratio"].values
    dots = [
        Curve(ratio, run["bias"].sel(width=width).values, f"d = {width}", PALETTE[i], "dots")
        for i, width in enumerate(run["width"].values)
    ]
    theory = Curve(ratio, run["predicted"].isel(width=0).values, "g(b) = 2/(d√η)", INK, "dashes")
    near = (ratio >= 0.9) & (ratio <= 1.15)
    close = [
        Curve(np.asarray(c.x)[near], np.asarray(c.y)[near], c.label, c.color, c.style) for c in [*dots, theory]
    ]
    return plate(
        [
            Panel(x="step size η ÷ (8π/d²)", y="final bias b", curves=[*dots, theory], levels=[Level(0.0, "")]),
            Panel(
                x="step size η ÷ (8π/d²)",
                y="final bias b",
                curves=close,
                levels=[Level(0.0, "no bias")],
                title="next to the threshold",
            ),
        ],
        title="A bias is learned above the step size 8π/d², and not below",
        text="There A = 0 is unstable until the bias is so low that the neuron is silent often enough.",
    )


def network(runs: Runs) -> Figure:
    """Bias and test accuracy over the step size."""
    run = runs["network"]
    return plate(
        [
            _over_step_size(run["bias"], "final bias b", PALETTE[0]),
            _over_step_size(run["accuracy"], "test accuracy", PALETTE[1]),
        ],
        title="The step size decides whether threshold neurons are learned",
        text="A ReLU network on sparse coding data, d = 200, n = 300, λ = 3; η × steps = 10 for every step size. "
        "With a lower bias it generalises better.",
    )


def _over_step_size(values: xr.DataArray, name: str, color: str) -> Panel:
    """A line through dots, and the threshold upright."""
    ratio, height = values["ratio"].values, (float(values.min()), float(values.max()))
    return Panel(
        x="step size η ÷ (8π/d²)",
        y=name,
        curves=[
            Curve(ratio, values.values, None, color),
            Curve(ratio, values.values, None, color, "dots"),
            Curve([1, 1], height, "threshold of the mean model", INK, "dashes"),
        ],
    )
