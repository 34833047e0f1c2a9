"""What is shown of beneventano2025gradient."""

from edgewise.gallery.beneventano2025gradient import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="beneventano2025gradient",
    title="Gradient Descent Converges Linearly to Flatter Minima than Gradient Flow in Shallow Linear Networks",
    authors="Beneventano, Woodworth",
    url="https://arxiv.org/abs/2501.09137",
    exhibits=(
        Exhibit(
            name="theorem1",
            title="Imbalances shrink, and with them the sharpness of the minimum",
            recipe=recipe.sweep,
            claims=claims.SWEEP,
            figure=figure.sweep,
        ),
    ),
)
