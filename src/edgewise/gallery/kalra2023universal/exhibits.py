"""What is shown of kalra2023universal."""

from edgewise.gallery.kalra2023universal import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="kalra2023universal",
    title="Universal Sharpness Dynamics in Neural Network Training: Fixed Point Analysis, Edge of Stability, and"
    " Route to Chaos",
    authors="Kalra, He, Barkeshli",
    url="https://arxiv.org/abs/2311.02076",
    exhibits=(
        Exhibit(
            name="recursion",
            title="The UV model closes in two numbers",
            recipe=recipe.recursion,
            claims=claims.RECURSION,
            figure=figure.recursion,
        ),
        Exhibit(
            name="fig1",
            title="Sharpness reduction, progressive sharpening, catapult, edge of stability",
            recipe=recipe.regimes,
            claims=claims.REGIMES,
            figure=figure.regimes,
        ),
        Exhibit(
            name="catapult",
            title="Between one and two times the edge a wide network is catapulted to a flatter minimum",
            recipe=recipe.catapult,
            claims=claims.CATAPULT,
            figure=figure.catapult,
        ),
        Exhibit(
            name="chaos",
            title="The route to chaos on the manifold of the edge of stability",
            recipe=recipe.chaos,
            claims=claims.CHAOS,
            figure=figure.chaos,
        ),
    ),
)
