"""What is shown of damian2022selfstabilization."""

from edgewise.gallery.damian2022selfstabilization import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="damian2022selfstabilization",
    title="Self-Stabilization: The Implicit Bias of Gradient Descent at the Edge of Stability",
    authors="Damian, Nichani, Lee",
    url="https://arxiv.org/abs/2209.15594",
    exhibits=(
        Exhibit(
            name="toy",
            title="Four stages around the edge, in closed form",
            recipe=recipe.toy,
            claims=claims.TOY,
            figure=figure.toy,
        ),
        Exhibit(
            name="early",
            title="From a crossing at which the oscillation is of the size of rounding",
            recipe=recipe.early,
            claims=claims.EARLY,
            figure=figure.network,
            # What grows here is rounding: a step size that is larger by 3 · 10⁻⁷ doubles the errors, whose
            # logarithms these are.
            golden_rtol=0.5,
        ),
        Exhibit(
            name="mlp",
            title="A fully connected network, predicted step by step from one crossing of the edge",
            recipe=recipe.mlp,
            claims=(*claims.PREDICTION, *claims.PATHS),
            figure=figure.network,
            golden_rtol=0.1,
        ),
        Exhibit(
            name="cnn",
            title="A convolutional network, likewise",
            recipe=recipe.cnn,
            claims=(*claims.PREDICTION, *claims.PATHS),
            figure=figure.network,
            golden_rtol=0.1,
        ),
        Exhibit(
            name="transformer",
            title="A transformer, likewise",
            recipe=recipe.transformer,
            claims=claims.PREDICTION,
            figure=figure.network,
            golden_rtol=0.1,
        ),
    ),
)
