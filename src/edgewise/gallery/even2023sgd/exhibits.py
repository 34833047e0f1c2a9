"""What is shown of even2023sgd."""

from edgewise.gallery.even2023sgd import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="even2023sgd",
    title="(S)GD over Diagonal Linear Networks: Implicit Regularisation, Large Stepsizes and Edge of Stability",
    authors="Even, Pesme, Gunasekar, Flammarion",
    exhibits=(
        Exhibit(
            name="sparse_regression",
            title="Large steps bring SGD to the sparse solution, and gradient descent away from it",
            recipe=recipe.sparse_regression,
            claims=claims.SPARSE_REGRESSION,
            figure=figure.sparse_regression,
        ),
    ),
)
