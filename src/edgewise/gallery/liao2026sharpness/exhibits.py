"""What is shown of liao2026sharpness."""

from edgewise.gallery.liao2026sharpness import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

# Every path is chaotic; what is claimed is a mean over many, which another rounding moves by its standard error.
_CHAOTIC = 0.02

REPRODUCTION = Reproduction(
    key="liao2026sharpness",
    title="SGD at the Edge of Stability: The Stochastic Sharpness Gap",
    authors="Liao, Kolomvaki, Kyrillidis",
    url="https://arxiv.org/abs/2604.21016",
    exhibits=(
        Exhibit(
            name="gap",
            title="Noise holds the sharpness below the edge by ηβσ²/4α",
            recipe=recipe.gap,
            claims=claims.GAP,
            figure=figure.gap,
            golden_rtol=_CHAOTIC,
        ),
        Exhibit(
            name="spikes",
            title="Where samples disagree, bursts are polynomially likely",
            recipe=recipe.spikes,
            claims=claims.SPIKES,
            figure=figure.spikes,
            golden_rtol=_CHAOTIC,
        ),
    ),
)
