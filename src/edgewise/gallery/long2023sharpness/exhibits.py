"""What is shown of long2023sharpness."""

from edgewise.gallery.long2023sharpness import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="long2023sharpness",
    title="Sharpness-Aware Minimization and the Edge of Stability",
    authors="Long, Bartlett",
    url="https://arxiv.org/abs/2309.12488",
    exhibits=(
        Exhibit(
            name="quadratic",
            title="The edge of sharpness-aware minimisation, on quadratics",
            recipe=recipe.quadratic,
            claims=claims.QUADRATIC,
            figure=figure.quadratic,
        ),
        Exhibit(
            name="fig2",
            title="Networks settle at that edge, far below 2/η",
            recipe=recipe.network,
            claims=claims.NETWORK,
            figure=figure.network,
            golden_rtol=0.05,
        ),
    ),
)
