"""What is shown of zhu2022understanding."""

from edgewise.gallery.zhu2022understanding import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="zhu2022understanding",
    title="Understanding Edge-of-Stability Training Dynamics with a Minimalist Example",
    authors="Zhu, Wang, Wang, Zhou, Ge",
    url="https://arxiv.org/abs/2210.03294",
    exhibits=(
        Exhibit(
            name="fig1",
            title="Three step sizes, each to a minimum just below its own 2/η",
            recipe=recipe.three_step_sizes,
            claims=claims.THREE_STEP_SIZES,
            figure=figure.three_step_sizes,
            film=figure.three_walks,
        ),
        Exhibit(
            name="theorem",
            title="What is left of 2/η at the end is half a step size",
            recipe=recipe.gaps,
            claims=claims.GAPS,
            figure=figure.gaps,
        ),
        Exhibit(
            name="parabola",
            title="The oscillation is drawn onto a parabola",
            recipe=recipe.parabola,
            claims=claims.PARABOLA,
            figure=figure.parabola,
        ),
        Exhibit(
            name="map",
            title="Which starts end at the edge",
            recipe=recipe.initialisations,
            claims=claims.INITIALISATIONS,
            figure=figure.initialisations,
        ),
        Exhibit(
            name="fig6",
            title="Chaos, period doubling and the edge",
            recipe=recipe.bifurcation,
            claims=claims.BIFURCATION,
            figure=figure.bifurcation,
        ),
        Exhibit(
            name="decoupled",
            title="Factors that start apart end at the edge too",
            recipe=recipe.decoupled,
            claims=claims.DECOUPLED,
            figure=figure.decoupled,
        ),
        Exhibit(
            name="degree2",
            title="A product of two has no minimum at the edge",
            recipe=recipe.degrees,
            claims=claims.DEGREES,
            figure=figure.degrees,
        ),
        Exhibit(
            name="fig7",
            title="A network of five layers that ends like the example",
            recipe=recipe.elu_network,
            claims=claims.NETWORK,
            figure=figure.elu_network,
            # A step size 10⁻⁷ larger moves R² by 0.04 and the end by 7·10⁻⁵; rounding is a millionth of that.
            golden_rtol=0.01,
        ),
    ),
)
