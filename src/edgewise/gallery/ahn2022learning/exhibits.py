"""What is shown of ahn2022learning."""

from edgewise.gallery.ahn2022learning import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="ahn2022learning",
    title="Learning threshold neurons via the “edge of stability”",
    authors="Ahn, Bubeck, Chewi, Lee, Suarez, Zhang",
    exhibits=(
        Exhibit(
            name="single_neuron",
            title="A neuron stops η/(2c) short of the critical curvature",
            recipe=recipe.single_neuron,
            claims=claims.SINGLE_NEURON,
            figure=figure.single_neuron,
        ),
        Exhibit(
            name="mean_model",
            title="A bias is learned above the step size 8π/d², and not below",
            recipe=recipe.mean_model,
            claims=claims.MEAN_MODEL,
            figure=figure.mean_model,
        ),
        Exhibit(
            name="network",
            title="The step size decides whether threshold neurons are learned",
            recipe=recipe.network,
            claims=claims.NETWORK,
            figure=figure.network,
        ),
    ),
)
