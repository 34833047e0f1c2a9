"""What is shown of lowell2024training."""

from edgewise.gallery.lowell2024training import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

# Single precision: the readings past the crossing depend on the phase of an oscillation that grew from rounding. A
# step size changed in its sixth digit moves a rank correlation by 0.04.
_SINGLE = 0.1

REPRODUCTION = Reproduction(
    key="lowell2024training",
    title="Training on the Edge of Stability Is Caused by Layerwise Jacobian Alignment",
    authors="Lowell, Kastner",
    url="https://arxiv.org/abs/2406.00127",
    exhibits=(
        Exhibit(
            name="edge",
            title="On the way to the edge the layers align",
            recipe=recipe.edge,
            claims=claims.EDGE,
            figure=figure.edge,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="samples",
            title="Alignment by the number of samples",
            recipe=recipe.sizes,
            claims=claims.SIZES,
            figure=figure.sizes,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
    ),
)
