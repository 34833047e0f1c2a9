"""What is shown of song2024does."""

from edgewise.gallery.song2024does import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

# Rounding of single precision, multiplied by the oscillation: a step size changed in its sixth digit moves the
# effects by up to a hundredth.
_SINGLE = 0.1

REPRODUCTION = Reproduction(
    key="song2024does",
    title="Does SGD really happen in tiny subspaces?",
    authors="Song, Ahn, Yun",
    url="https://arxiv.org/abs/2405.16002",
    exhibits=(
        Exhibit(
            name="fig1",
            title="By the dominant part of the gradient SGD does not learn; by the rest it does",
            recipe=recipe.stochastic,
            claims=claims.STOCHASTIC,
            figure=figure.stochastic,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="edge",
            title="At the edge of stability the dominant part is an oscillation",
            recipe=recipe.edge,
            claims=claims.EDGE,
            figure=figure.edge,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
    ),
)
