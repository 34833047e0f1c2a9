"""What falls, and what does not."""

import numpy as np
from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import FAINT, PALETTE, Curve, Level, Panel, plate

_SHOWN, _STEPS, _FLOOR = 4, 200, 1e-16


def products(runs: Runs) -> Figure:
    """φ and the sharpness along a few paths of each depth, and their losses."""
    first = runs["depth 4"]
    panels = []
    for name, run in runs.items():
        some = run.isel(start=slice(_SHOWN), step=slice(_STEPS))
        step = some["step"].values
        panels.append(
            Panel(
                x="step",
                y="sharpness",
                curves=[
                    *(
                        Curve(step, some["sharpness"].values[:, i], None if i else "of the iterate", FAINT, "thin")
                        for i in range(_SHOWN)
                    ),
                    *(
                        Curve(
                            step,
                            some["flow_sharpness"].values[:, i],
                            None if i else "of the flow's end, φ",
                            PALETTE[0],
                        )
                        for i in range(_SHOWN)
                    ),
                ],
                levels=[Level(2 / float(first["lr"]), "2/η")],
                ylim=(5, 15),
                title=f"{name.removeprefix('depth ')} factors",
            )
        )
    for run in runs.values():
        some = run.isel(start=slice(_SHOWN), step=slice(_STEPS))
        losses = np.maximum(some["loss"].values, _FLOOR)
        panels.append(
            Panel(
                x="step",
                y="loss",
                curves=[Curve(some["step"].values, losses[:, i], None, FAINT, "thin") for i in range(_SHOWN)],
                log="y",
            )
        )
    return plate(
        panels,
        title="Loss and sharpness rise and fall; the sharpness of the flow's solution only falls",
        text="Descent on (∏ wᵢ − 1)²/2 with η = 0.2 from four random starts each. φ: where flow would end.",
        columns=3,
    )
