"""What is claimed of the example, and of what becomes of it elsewhere."""

from edgewise.gallery.zhu2022understanding.claims.example import (
    BIFURCATION,
    GAPS,
    INITIALISATIONS,
    PARABOLA,
    THREE_STEP_SIZES,
)
from edgewise.gallery.zhu2022understanding.claims.variations import DECOUPLED, DEGREES, NETWORK

__all__ = [
    "BIFURCATION",
    "DECOUPLED",
    "DEGREES",
    "GAPS",
    "INITIALISATIONS",
    "NETWORK",
    "PARABOLA",
    "THREE_STEP_SIZES",
]
