"""What is shown of cohen2021gradient."""

from edgewise.gallery.cohen2021gradient import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

# The oscillations at the edge multiply the rounding of single precision, which differs from machine to machine: a
# step size changed by 2 · 10⁻⁷ moves medians of the sharpness by up to one per cent, and counts by more.
_SINGLE = 0.1

REPRODUCTION = Reproduction(
    key="cohen2021gradient",
    title="Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability",
    authors="Cohen, Kaur, Li, Kolter, Talwalkar",
    url="https://arxiv.org/abs/2103.00065",
    exhibits=(
        Exhibit(
            name="fig3",
            title="Progressive sharpening",
            recipe=recipe.fig3,
            claims=claims.SHARPENING,
            figure=figure.fig3,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig4",
            title="What happens past 2/η",
            recipe=recipe.fig4,
            claims=claims.CROSSING,
            figure=figure.fig4,
            film=figure.fig4_film,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig5",
            title="A range of step sizes: sharpness rises to 2/η and stays",
            recipe=recipe.fig5,
            claims=claims.RANGE,
            figure=figure.fig5,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig7",
            title="A step size that is cut",
            recipe=recipe.fig7,
            claims=claims.CUT,
            figure=figure.fig7,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="flow_distance",
            title="Gradient descent leaves gradient flow at its edge",
            recipe=recipe.flow_distance,
            claims=claims.DISTANCE,
            figure=figure.flow_distance,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="rk4",
            title="Gradient flow by the paper's integrator",
            recipe=recipe.rk4,
            claims=claims.INTEGRATION,
            figure=figure.rk4,
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
        Exhibit(
            name="fig14",
            title="Width",
            recipe=recipe.fig14,
            claims=claims.WIDTH,
            figure=figure.fig14,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig17",
            title="Depth",
            recipe=recipe.fig17,
            claims=claims.DEPTH,
            figure=figure.fig17,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig18",
            title="Number of samples",
            recipe=recipe.fig18,
            claims=claims.SIZE,
            figure=figure.fig18,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig29",
            title="Stochastic gradient descent with batches of several sizes",
            recipe=recipe.fig29,
            claims=claims.BATCHES,
            figure=figure.fig29,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="consistency",
            title="Networks of every kind, tasks of every kind",
            recipe=recipe.consistency,
            claims=claims.CONSISTENCY,
            figure=figure.consistency,
            golden_rtol=_SINGLE,
        ),
        Exhibit(
            name="fig90",
            title="Batch normalisation: the curvature along the step",
            recipe=recipe.fig90,
            claims=claims.BATCH_NORM,
            figure=figure.fig90,
            golden_rtol=_SINGLE,
        ),
    ),
)
