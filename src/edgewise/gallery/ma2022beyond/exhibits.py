"""What is shown of ma2022beyond."""

from edgewise.gallery.ma2022beyond import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

REPRODUCTION = Reproduction(
    key="ma2022beyond",
    title="Beyond the Quadratic Approximation: The Multiscale Structure of Neural Network Loss Landscapes",
    authors="Ma, Kunin, Wu, Ying",
    url="https://arxiv.org/abs/2204.11326",
    exhibits=(
        Exhibit(
            name="growth",
            title="The loss grows more slowly than a parabola far from a point at the edge",
            recipe=recipe.growth,
            claims=claims.GROWTH,
            figure=figure.growth,
            scales=(Scale.SMOKE,),
            # Powers hardly feel where on its cycle the run was left, but δ does.
            golden_rtol=0.02,
        ),
    ),
)
