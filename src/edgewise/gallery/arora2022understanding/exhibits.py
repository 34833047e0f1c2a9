"""What is shown of arora2022understanding."""

from edgewise.gallery.arora2022understanding import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="arora2022understanding",
    title="Understanding Gradient Descent on Edge of Stability in Deep Learning",
    authors="Arora, Li, Panigrahi",
    url="https://arxiv.org/abs/2205.09745",
    exhibits=(
        Exhibit(
            name="quadratic",
            title="normalised gradient descent on a quadratic ends in a period of two",
            recipe=recipe.quadratic,
            claims=claims.QUADRATIC,
            figure=figure.quadratic,
        ),
        Exhibit(
            name="limiting_flows",
            title="the flows along the minimisers",
            recipe=recipe.slides,
            claims=claims.LIMITING_FLOWS,
            figure=figure.limiting_flows,
        ),
        Exhibit(
            name="phase2",
            title="what two consecutive steps across the minimisers add up to",
            recipe=recipe.slides,
            claims=claims.PHASE_TWO,
            figure=figure.phase_two,
        ),
        Exhibit(
            name="phases",
            title="down to the minimisers, and along them",
            recipe=recipe.phases,
            claims=claims.PHASES,
            figure=figure.phases,
        ),
        Exhibit(
            name="network",
            title="a trained network whose sharpness falls while its loss stays near zero",
            recipe=recipe.networks,
            claims=claims.NETWORK,
            figure=figure.network,
            # Rounding moves the beat of descent on √L: a step size changed by 10⁻¹² changes its effects by 0.004.
            golden_rtol=0.02,
        ),
    ),
)
