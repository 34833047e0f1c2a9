"""What is shown of ghosh2026nonnormal."""

from edgewise.gallery.ghosh2026nonnormal import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

REPRODUCTION = Reproduction(
    key="ghosh2026nonnormal",
    title="Non-normal spectral signatures of instability in neural network training dynamics",
    authors="Ghosh",
    url="https://arxiv.org/abs/2605.23476",
    exhibits=(
        Exhibit(
            name="momentum",
            title="Transient growth of a mode under momentum",
            recipe=recipe.momentum,
            claims=claims.MOMENTUM,
            figure=figure.momentum,
        ),
        Exhibit(
            name="adam",
            title="Spectral radius and condition of the eigenvectors under Adam",
            recipe=recipe.adam,
            claims=claims.ADAM,
            figure=figure.adam,
            scales=(Scale.SMOKE,),
            # Adam divides by what can be small; double precision keeps its first digits for so few steps.
            golden_rtol=0.01,
        ),
    ),
)
