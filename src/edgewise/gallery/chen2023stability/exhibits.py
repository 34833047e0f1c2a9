"""What is shown of chen2023stability."""

from edgewise.gallery.chen2023stability import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="chen2023stability",
    title="From Stability to Chaos: Analyzing Gradient Descent Dynamics in Quadratic Regression",
    authors="Chen, Balasubramanian, Ghosal, Agarwalla",
    url="https://arxiv.org/abs/2310.01687",
    exhibits=(
        Exhibit(
            name="theorem1",
            title="Five phases of one cubic map: monotone, catapult, periodic, chaotic, divergent",
            recipe=recipe.bifurcation,
            claims=claims.BIFURCATION,
            figure=figure.bifurcation,
        ),
        Exhibit(
            name="network",
            title="The same phases in networks of quadratic neurons",
            recipe=recipe.network,
            claims=claims.NETWORK,
            figure=figure.network,
        ),
    ),
)
