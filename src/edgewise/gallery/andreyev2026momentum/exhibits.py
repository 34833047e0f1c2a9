"""What is shown of andreyev2026momentum."""

from edgewise.gallery.andreyev2026momentum import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

# Single precision and an oscillation: medians over ten readings move by a few per cent with the rounding.
_SINGLE = 0.1

REPRODUCTION = Reproduction(
    key="andreyev2026momentum",
    title="Momentum Further Constrains Sharpness at the Edge of Stochastic Stability",
    authors="Andreyev, Ananthkumar, Walden, Poggio, Beneventano",
    url="https://arxiv.org/abs/2604.14108",
    exhibits=(
        Exhibit(
            name="mode",
            title="The two edges of momentum, in closed form",
            recipe=recipe.mode,
            claims=claims.MODE,
            figure=figure.mode,
        ),
        Exhibit(
            name="network",
            title="Batch sharpness under momentum, in small batches and with all data",
            recipe=recipe.network,
            claims=claims.NETWORK,
            figure=figure.network,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
    ),
)
