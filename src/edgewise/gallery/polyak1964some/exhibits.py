"""What is shown of polyak1964some."""

from edgewise.gallery.polyak1964some import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="polyak1964some",
    title="Some Methods of Speeding up the Convergence of Iteration Methods",
    authors="Polyak",
    url="https://doi.org/10.1016/0041-5553(64)90137-5",
    exhibits=(
        Exhibit(
            name="modes",
            title="gradient descent on a quadratic, mode by mode",
            recipe=recipe.modes,
            claims=claims.MODES,
            figure=figure.modes,
        ),
        Exhibit(
            name="thresholds",
            title="where three kinds of momentum lose stability",
            recipe=recipe.thresholds,
            claims=claims.THRESHOLDS,
            figure=figure.thresholds,
        ),
        Exhibit(
            name="acceleration",
            title="the steps that momentum saves",
            recipe=recipe.acceleration,
            claims=claims.ACCELERATION,
            figure=figure.acceleration,
        ),
    ),
)
