"""What is shown of cohen2021gradient."""

from edgewise.gallery.cohen2021gradient import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

# The oscillations at the edge multiply the rounding of single precision, which differs from machine to machine.
_SINGLE = 0.1

REPRODUCTION = Reproduction(
    key="cohen2021gradient",
    title="Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability",
    authors="Cohen, Kaur, Li, Kolter, Talwalkar",
    url="https://arxiv.org/abs/2103.00065",
    exhibits=(
        Exhibit(
            name="fig5",
            title="A range of step sizes: sharpness rises to 2/η and stays",
            recipe=recipe.fig5,
            claims=claims.RANGE,
            figure=figure.fig5,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="momentum",
            title="Polyak's and Nesterov's momentum have edges of their own",
            recipe=recipe.momentum,
            claims=claims.MOMENTUM,
            figure=figure.momentum,
            golden_rtol=_SINGLE,
        ),
    ),
)
