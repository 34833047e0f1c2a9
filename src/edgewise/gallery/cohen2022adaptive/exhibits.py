"""What is shown of cohen2022adaptive."""

from edgewise.gallery.cohen2022adaptive import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

# At the edge rounding is multiplied; medians over half a run forget most of it, sharpnesses at its end not all.
_RTOL = 0.05

REPRODUCTION = Reproduction(
    key="cohen2022adaptive",
    title="Adaptive Gradient Methods at the Edge of Stability",
    authors="Cohen, Ghorbani, Krishnan, Agarwal, Medapati, Badura, Suo, Cardoze, Nado, Dahl, Gilmer",
    url="https://arxiv.org/abs/2207.14484",
    exhibits=(
        Exhibit(
            name="adam",
            title="Adam hovers at the edge of stability of its own metric",
            recipe=recipe.adam,
            claims=claims.ADAM,
            figure=figure.adam,
            golden_rtol=_RTOL,
        ),
        Exhibit(
            name="momentum",
            title="The threshold moves with the momentum",
            recipe=recipe.momentum,
            claims=claims.MOMENTUM,
            figure=figure.momentum,
            golden_rtol=_RTOL,
        ),
        Exhibit(
            name="rmsprop",
            title="RMSProp hovers at the threshold of gradient descent",
            recipe=recipe.rmsprop,
            claims=claims.RMSPROP,
            figure=figure.rmsprop,
            golden_rtol=_RTOL,
        ),
        Exhibit(
            name="frozen",
            title="A frozen preconditioner breaks down past the edge",
            recipe=recipe.frozen,
            claims=claims.FROZEN,
            figure=figure.frozen,
            golden_rtol=_RTOL,
        ),
        Exhibit(
            name="digits",
            title="Both on digits",
            recipe=recipe.digits,
            claims=claims.DIGITS,
            figure=figure.digits,
            scales=(Scale.SMOKE,),
            golden_rtol=_RTOL,
        ),
    ),
)
