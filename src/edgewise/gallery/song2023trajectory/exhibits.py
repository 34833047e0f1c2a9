"""What is shown of song2023trajectory."""

from edgewise.gallery.song2023trajectory import claims, figure, recipe
from edgewise.reproduction import Exhibit, Reproduction

REPRODUCTION = Reproduction(
    key="song2023trajectory",
    title="Trajectory Alignment: Understanding the Edge of Stability Phenomenon via Bifurcation Theory",
    authors="Song, Yun",
    exhibits=(
        Exhibit(
            name="alignment",
            title="Trajectories beyond the edge meet on the curve q = r(p)",
            recipe=recipe.alignment,
            claims=claims.ALIGNMENT,
            figure=figure.alignment,
        ),
        Exhibit(
            name="fast_map",
            title="The curve is the two-cycle of a fast map, and splits where that does",
            recipe=recipe.fast_map,
            claims=claims.FAST_MAP,
            figure=figure.fast_map,
        ),
    ),
)
