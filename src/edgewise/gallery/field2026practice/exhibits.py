"""What is shown of the practical questions."""

from edgewise.gallery.field2026practice import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

# Single precision, and step sizes past the edge, where rounding decides when a catapult comes.
_SINGLE = 0.1

REPRODUCTION = Reproduction(
    key="field2026practice",
    title="The practical questions of the field: speed at the edge, flatness and generalisation",
    authors="after the surveys of the field",
    exhibits=(
        Exhibit(
            name="speed",
            title="Does a step size held at the edge train faster than the best constant one?",
            recipe=recipe.speed,
            claims=claims.SPEED,
            figure=figure.speed,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="flatness",
            title="Does a larger step size end flatter, and does that generalise better?",
            recipe=recipe.flatness,
            claims=claims.FLATNESS,
            figure=figure.flatness,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
    ),
)
