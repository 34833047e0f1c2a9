"""Where the sharpness ends, what imbalance is left, how high the loss rises, and who converges."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import INK, PALETTE, Curve, Level, Panel, plate

_AXIS = "step size η × S₀"


def regularity(runs: Runs) -> Figure:
    """Medians over the starts that converge."""
    multiple = next(iter(runs.values()))["multiple"].values
    large = multiple[multiple >= 2]
    return plate(
        [
            _panel(
                runs, "edge_ratio", "final sharpness ÷ (2/η)", [Level(1.0, "critical curvature 2/η")], (0, 1.3)
            ),
            _panel(
                runs,
                "imbalance",
                "|x² − y²|: end ÷ start",
                [],
                (0, 1.3),
                theory=Curve(large, 2 / large, "2/(ηS₀)", INK, "dashes"),
            ),
            _panel(runs, "rise", "largest loss ÷ first loss", [], None, log="y"),
            _panel(runs, "converged", "share of starts that converge", [], (-0.05, 1.9), named=True),
        ],
        title="A large step size does nothing but fail where the loss grows fast",
        text="Gradient descent on l(xy) for five l of the same curvature at 0. Beyond η = 2/S₀ those that grow "
        "like |s| end at the edge, that which grows like s² far below it, and the others diverge.",
    )


def _panel(
    runs: Runs,
    name: str,
    label: str,
    levels: Sequence[Level],
    ylim: tuple[float, float] | None,
    *,
    theory: Curve | None = None,
    log: Literal["", "y"] = "",
    named: bool = False,
) -> Panel:
    curves = []
    for i, (loss, run) in enumerate(runs.items()):
        values = run[name].mean("start") if name == "converged" else run[name].median("start")
        legend = f"l = {loss}, grows like {run.attrs['growth']}" if named else None
        curves.append(Curve(run["multiple"].values, values.values, legend, PALETTE[i]))
    return Panel(
        x=_AXIS, y=label, curves=[*curves, *([theory] if theory else [])], levels=levels, ylim=ylim, log=log
    )
