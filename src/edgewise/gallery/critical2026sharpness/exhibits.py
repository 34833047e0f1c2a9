"""What is shown of critical2026sharpness."""

from edgewise.gallery.critical2026sharpness import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="critical2026sharpness",
    title="A Scalable Measure of Loss Landscape Curvature for Analyzing the Training Dynamics of LLMs",
    authors="Kalra, Gagnon-Audet, Gromov, Mediratta, Niu, Miller, Shvartsman",
    url="https://arxiv.org/abs/2601.16979",
    exhibits=(
        Exhibit(
            name="directional",
            title="Critical sharpness beside the curvature along the gradient and the sharpness",
            recipe=recipe.directional,
            claims=claims.DIRECTIONAL,
            figure=figure.directional,
        ),
    ),
)
