"""What is shown of kreisler2023gradient."""

from edgewise.gallery.kreisler2023gradient import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="kreisler2023gradient",
    title=(
        "Gradient Descent Monotonically Decreases the Sharpness of Gradient Flow Solutions in Scalar Networks "
        "and Beyond"
    ),
    authors="Kreisler, Nacson, Soudry, Carmon",
    url="https://arxiv.org/abs/2305.13064",
    exhibits=(
        Exhibit(
            name="products",
            title="Of scalar networks: the sharpness of the flow's solution falls at every step",
            recipe=recipe.products,
            claims=claims.PRODUCTS,
            figure=figure.products,
        ),
    ),
)
