"""What is shown of cohen2025understanding."""

from edgewise.gallery.cohen2025understanding import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="cohen2025understanding",
    title="Understanding Optimization in Deep Learning with Central Flows",
    authors="Cohen, Damian, Talwalkar, Kolter, Lee",
    url="https://arxiv.org/abs/2410.24206",
    exhibits=(
        Exhibit(
            name="two_modes",
            title="Two coupled modes at the edge",
            recipe=recipe.two_modes,
            claims=claims.TWO_MODES,
            figure=figure.two_modes,
        ),
        Exhibit(
            name="gradient_descent",
            title="The central flow of gradient descent",
            recipe=recipe.gradient_descent,
            claims=claims.GRADIENT_DESCENT,
            figure=figure.gradient_descent,
            golden_rtol=0.05,
        ),
        Exhibit(
            name="scalar_rmsprop",
            title="The central flow of scalar RMSProp",
            recipe=recipe.scalar_rmsprop,
            claims=claims.SCALAR_RMSPROP,
            figure=figure.scalar_rmsprop,
            golden_rtol=0.05,
        ),
        Exhibit(
            name="rmsprop",
            title="The central flow of RMSProp",
            recipe=recipe.rmsprop,
            claims=claims.RMSPROP,
            figure=figure.rmsprop,
            golden_rtol=0.05,
        ),
    ),
)
