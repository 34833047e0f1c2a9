"""What is shown of saether2026does."""

from edgewise.gallery.saether2026does import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction, Scale

# Single precision, and at the edge an oscillation that grew from rounding.
_SINGLE = 0.05

REPRODUCTION = Reproduction(
    key="saether2026does",
    title="Does Weight Decay Enhance Training Stability?",
    authors="Saether, Kolic, Poggio, Beneventano",
    url="https://arxiv.org/abs/2605.16622",
    exhibits=(
        Exhibit(
            name="decay",
            title="Sharpness under weight decay, fully connected and convolutional",
            recipe=recipe.networks,
            claims=claims.NETWORKS,
            figure=figure.networks,
            scales=(Scale.SMOKE,),
            golden_rtol=_SINGLE,
        ),
    ),
)
