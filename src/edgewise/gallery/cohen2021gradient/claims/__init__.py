"""What is asserted of each exhibit, and what is measured for it."""

from edgewise.gallery.cohen2021gradient.claims.apart import CUT, DISTANCE, INTEGRATION
from edgewise.gallery.cohen2021gradient.claims.batch_norm import BATCH_NORM
from edgewise.gallery.cohen2021gradient.claims.consistency import CONSISTENCY
from edgewise.gallery.cohen2021gradient.claims.destabilisation import CROSSING
from edgewise.gallery.cohen2021gradient.claims.edge import MOMENTUM, RANGE
from edgewise.gallery.cohen2021gradient.claims.sharpening import DEPTH, SHARPENING, SIZE, WIDTH
from edgewise.gallery.cohen2021gradient.claims.stochastic import BATCHES

__all__ = [
    "BATCHES",
    "BATCH_NORM",
    "CONSISTENCY",
    "CROSSING",
    "CUT",
    "DEPTH",
    "DISTANCE",
    "INTEGRATION",
    "MOMENTUM",
    "RANGE",
    "SHARPENING",
    "SIZE",
    "WIDTH",
]
