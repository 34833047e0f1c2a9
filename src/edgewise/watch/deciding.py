"""Which readings decide: the one rule of verdict, advice and steering."""

from collections.abc import Sequence

import numpy as np

from edgewise.watch.reading import Kind, Reading
from edgewise.watch.slope import per_unit

OF_BATCHES: tuple[Kind, ...] = ("mean-square sharpness", "batch sharpness")
"""Those that know of the noise of small batches."""

RANKS: tuple[tuple[Kind, ...], ...] = (
    OF_BATCHES,
    ("effective sharpness",),
    ("critical sharpness",),
    ("gradient curvature",),
)
"""The kinds that an edge can be read of, the best first; those in one row are equally good.

Small batches lose stability below the line of full sharpness, along its eigenvector or along their gradients,
whichever is first: where these have been read they count. The secant curvature is not here: successive gradients
differ by their samples as much as by curvature.
"""

DECISIVE: tuple[Kind, ...] = tuple(kind for rank in RANKS for kind in rank)
"""All of them."""

ONE_DIRECTION: tuple[Kind, ...] = ("critical sharpness", "gradient curvature")
"""Those that look along one direction: no curvature there exceeds the sharpness, and it may be far below."""

NOW = 5
"""What is there now is a median over so many readings."""


def deciding(rows: Sequence[Reading]) -> list[Reading]:
    """Of recent readings, those that the edge is told by: of the best rank, the kind that is nearest to its edge.

    Args:
        rows: recent ones with an edge ratio, in order.
    """
    for rank in RANKS:
        kinds = [[row for row in rows if row.kind == kind] for kind in rank]
        if any(kinds):
            return max(filter(None, kinds), key=lambda own: float(np.median([per_unit(r) for r in own[-NOW:]])))
    return []
