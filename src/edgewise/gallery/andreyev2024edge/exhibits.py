"""What is shown of andreyev2024edge."""

from edgewise.gallery.andreyev2024edge import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

# Single precision and the noise of batches: rounding moves a reading by some hundredths.
_RTOL = 0.05

REPRODUCTION = Reproduction(
    key="andreyev2024edge",
    title="Edge of Stochastic Stability: Revisiting the Edge of Stability for SGD",
    authors="Andreyev, Beneventano",
    url="https://arxiv.org/abs/2412.20553",
    exhibits=(
        Exhibit(
            name="batches",
            title="Batch sharpness and sharpness by the size of the batch",
            recipe=recipe.batches,
            claims=claims.PLATEAU,
            figure=figure.batches,
            golden_rtol=_RTOL,
        ),
        Exhibit(
            name="catapult",
            title="A raised step size makes the loss leap",
            recipe=recipe.catapult,
            claims=claims.CATAPULT,
            figure=figure.catapult,
            golden_rtol=_RTOL,
        ),
    ),
)
