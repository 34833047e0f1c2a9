"""How each exhibit is drawn."""

from edgewise.gallery.cohen2021gradient.figure.apart import fig7, flow_distance, rk4
from edgewise.gallery.cohen2021gradient.figure.consistency import consistency, fig90
from edgewise.gallery.cohen2021gradient.figure.destabilisation import fig4, fig4_film
from edgewise.gallery.cohen2021gradient.figure.edge import fig5, momentum
from edgewise.gallery.cohen2021gradient.figure.sharpening import fig3, fig14, fig17, fig18
from edgewise.gallery.cohen2021gradient.figure.stochastic import fig29

__all__ = [
    "consistency",
    "fig3",
    "fig4",
    "fig4_film",
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
