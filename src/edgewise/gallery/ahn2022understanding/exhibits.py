"""What is shown of ahn2022understanding."""

from edgewise.gallery.ahn2022understanding import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="ahn2022understanding",
    title="Understanding the Unstable Convergence of Gradient Descent",
    authors="Ahn, Zhang, Sra",
    url="https://arxiv.org/abs/2204.01050",
    exhibits=(
        Exhibit(
            name="quadratic",
            title="Relative progress and directional smoothness are one number on a quadratic",
            recipe=recipe.quadratic,
            claims=claims.QUADRATIC,
            figure=figure.quadratic,
        ),
        Exhibit(
            name="invariance",
            title="A bounded gradient keeps unstable iterates in an interval",
            recipe=recipe.bounded,
            claims=claims.BOUNDED,
            figure=figure.bounded,
        ),
        Exhibit(
            name="progress",
            title="In the unstable regime of a network a step brings hardly any progress",
            recipe=recipe.network,
            claims=claims.NETWORK,
            figure=figure.network,
            # The oscillation multiplies rounding; means over hundreds of steps forget most of it: a step size that
            # is 10⁻⁶ longer moves them by less than 10⁻³.
            golden_rtol=0.02,
        ),
    ),
)
