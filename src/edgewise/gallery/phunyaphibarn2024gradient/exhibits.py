"""What is shown of phunyaphibarn2024gradient."""

from edgewise.gallery.phunyaphibarn2024gradient import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="phunyaphibarn2024gradient",
    title="Gradient Descent with Polyak's Momentum Finds Flatter Minima via Large Catapults",
    authors="Phunyaphibarn, Lee, Wang, Zhang, Yun",
    exhibits=(
        Exhibit(
            name="toy",
            title="Momentum catapults higher and ends flatter, on a product of two numbers",
            recipe=recipe.toy,
            claims=claims.TOY,
            figure=figure.toy,
        ),
        Exhibit(
            name="diagonal",
            title="Taken over the edge by a warm-up, momentum falls below it, on linear diagonal networks",
            recipe=recipe.diagonal,
            claims=claims.DIAGONAL,
            figure=figure.diagonal,
        ),
    ),
)
