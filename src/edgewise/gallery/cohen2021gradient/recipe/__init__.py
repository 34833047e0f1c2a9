"""What is trained for each exhibit, at each scale."""

from edgewise.gallery.cohen2021gradient.recipe.batch_norm import fig90
from edgewise.gallery.cohen2021gradient.recipe.consistency import consistency
from edgewise.gallery.cohen2021gradient.recipe.destabilisation import fig4
from edgewise.gallery.cohen2021gradient.recipe.edge import fig5, fig7, flow_distance, momentum, rk4
from edgewise.gallery.cohen2021gradient.recipe.sharpening import fig3, fig14, fig17, fig18
from edgewise.gallery.cohen2021gradient.recipe.stochastic import fig29

__all__ = [
    "consistency",
    "fig3",
    "fig4",
    "fig5",
    "fig7",
    "fig14",
    "fig17",
    "fig18",
    "fig29",
    "fig90",
    "flow_distance",
    "momentum",
    "rk4",
]
