"""Sharpness, its Gauss–Newton part and the alignment of the layers."""

from matplotlib.figure import Figure

from edgewise.claims import Runs
from edgewise.figures import Curve, Level, Panel, plate


def edge(runs: Runs) -> Figure:
    """Up to the edge and along it."""
    run = runs["gd"]
    step, critical = run["step"].values, float(run["critical_curvature"])
    return plate(
        [
            Panel(
                x="step",
                y="curvature",
                curves=[
                    Curve(step, run["sharpness"].values, "λ₁ of the Hessian"),
                    Curve(step, run["gauss_newton"].values, "λ₁ of Gauss–Newton", None, "dashes"),
                ],
                levels=[Level(critical, "2/η")],
                ylim=(0.0, 1.6 * critical),
            ),
            Panel(
                x="step",
                y="factor of ‖J_D ⋯ J₂‖",
                curves=[
                    Curve(step, run["alignment"].values, "alignment"),
                    Curve(step, run["norms"].values, "product of the layers' norms"),
                ],
                levels=[Level(1.0, "fully aligned")],
                ylim=(0.4, 1.1),
            ),
        ],
        title="The layers align on the way to the edge",
        text="At the edge the sharpness is that of the linearised model. Alignment and norms grow about alike.",
    )


def sizes(runs: Runs) -> Figure:
    """By the number of samples."""
    aligned = [
        Curve(run["step"].values, run["alignment"].values, name.replace("n =", "samples:"))
        for name, run in runs.items()
    ]
    sharp = [Curve(run["step"].values, run["sharpness"].values, None) for run in runs.values()]
    critical = float(next(iter(runs.values()))["critical_curvature"])
    return plate(
        [
            Panel(x="step", y="alignment of the layers", curves=aligned),
            Panel(
                x="step", y="sharpness", curves=sharp, levels=[Level(critical, "2/η")], ylim=(0.0, 1.15 * critical)
            ),
        ],
        title="Alignment by the number of samples",
        text="After a thousand small steps it is not largest where there is most to fit.",
    )
