"""Sharpness and loss at a range of step sizes, and with momentum."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import plate
from edgewise.gallery.cohen2021gradient.figure import panels

_LOSSES = {"mse": "squared error", "ce": "cross-entropy"}


def fig5(runs: Runs) -> Figure:
    """By iteration and by time, for both losses."""
    drawn = []
    for loss, words in _LOSSES.items():
        chosen = {name.removeprefix(f"{loss} "): run for name, run in runs.items() if name.startswith(loss)}
        stepped = {name: run for name, run in chosen.items() if "flow" not in name}
        drawn += [
            panels.sharpness(stepped, "step", title=f"{words}, by iteration"),
            panels.loss(stepped, "step"),
            panels.sharpness(chosen, "time", title=f"{words}, by time"),
            panels.loss(chosen, "time"),
        ]
    return plate(
        drawn,
        title="Sharpness rises to 2/η, whatever η is, and stays there",
        text="All step sizes follow gradient flow (black) until the sharpness has come to 2/η (dashed); it "
        "would go on rising, and they hover there while the loss falls, though not at every step. With the "
        "cross-entropy the sharpness falls again once the samples are fitted.",
    )


def momentum(runs: Runs) -> Figure:
    """Sharpness and loss under both kinds of momentum."""
    return plate(
        [panels.sharpness(runs), panels.loss(runs)],
        title="With momentum the sharpness hovers at the threshold of that momentum",
        text="Dashed: (2+2β)/η with Polyak's momentum, (2+2β)/((1+2β)η) with Nesterov's, β = 0.9. The step sizes "
        "are such that both kinds have the same thresholds; 2/η lies at 0.53 of Polyak's and 1.47 of Nesterov's.",
    )
