"""What is shown of wu2018how."""

from edgewise.gallery.wu2018how import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="wu2018how",
    title="How SGD Selects the Global Minima in Over-parameterized Learning: A Dynamical Stability Perspective",
    authors="Wu, Ma, E",
    exhibits=(
        Exhibit(
            name="fig2",
            title="SGD leaves a minimum at which gradient descent stays",
            recipe=recipe.escape,
            claims=claims.ESCAPE,
            figure=figure.escape,
        ),
    ),
)
