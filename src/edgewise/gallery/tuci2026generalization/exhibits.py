"""What is shown of tuci2026generalization."""

from edgewise.gallery.tuci2026generalization import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

REPRODUCTION = Reproduction(
    key="tuci2026generalization",
    title="Generalization at the Edge of Stability",
    authors="Tuci, Korkmaz, Şimşekli, Birdal",
    url="https://arxiv.org/abs/2604.19740",
    exhibits=(
        Exhibit(
            name="grid",
            title="Sharpness dimension and generalisation gap over step sizes and batch sizes",
            recipe=recipe.grid,
            claims=claims.GRID,
            figure=figure.grid,
            scales=(Scale.SMOKE,),
            # Double precision, but small batches at the edge multiply rounding over five hundred steps.
            golden_rtol=0.05,
        ),
    ),
)
