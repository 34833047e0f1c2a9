"""What is shown of wu2023implicit."""

from edgewise.gallery.wu2023implicit import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="wu2023implicit",
    title="Implicit Bias of Gradient Descent for Logistic Regression at the Edge of Stability",
    authors="Wu, Braverman, Lee",
    url="https://arxiv.org/abs/2305.11788",
    exhibits=(
        Exhibit(
            name="theorem1",
            title="Any step size converges to the largest margin, after rising on the way",
            recipe=recipe.theorem1,
            claims=claims.THEOREM1,
            figure=figure.theorem1,
        ),
    ),
)
