"""What is shown of chen2022two."""

from edgewise.gallery.chen2022two import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="chen2022two",
    title="Beyond the Edge of Stability via Two-step Gradient Updates",
    authors="Chen, Bruna",
    url="https://arxiv.org/abs/2206.04172",
    exhibits=(
        Exhibit(
            name="criterion",
            title="Where there are cycles of two just beyond the edge",
            recipe=recipe.criterion,
            claims=claims.CRITERION,
            figure=figure.criterion,
        ),
        Exhibit(
            name="product",
            title="The cycle of two of a product, and its balance",
            recipe=recipe.cycles,
            claims=claims.CYCLES,
            figure=figure.cycles,
        ),
    ),
)
