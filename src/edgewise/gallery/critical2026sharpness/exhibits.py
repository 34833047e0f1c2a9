"""What is shown of critical2026sharpness."""

from edgewise.gallery.critical2026sharpness import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

# Single precision, at step sizes past the edge: rounding grows with every step.
_SINGLE = 0.1
# Past the edge it also decides, now and then, at which multiple a training breaks: the next one is 1.4 times it.
_ONE_MULTIPLE = 0.3

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
        Exhibit(
            name="watch_gpt",
            title="The advised largest step size, tried: a transformer under AdamW",
            recipe=recipe.watch_gpt,
            claims=claims.WATCH,
            figure=figure.watched,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="watch_cnn",
            title="The advised largest step size, tried: a convolutional network under SGD with momentum",
            recipe=recipe.watch_cnn,
            claims=claims.WATCH,
            figure=figure.watched,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="panel",
            title="Where trainings of many kinds break, beside the advised largest step size",
            recipe=recipe.panel,
            claims=claims.PANEL,
            figure=figure.panel,
            golden_rtol=_ONE_MULTIPLE,
        ),
    ),
)
