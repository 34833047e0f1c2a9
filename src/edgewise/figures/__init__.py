"""Records → pictures: every figure is a function of measured numbers, which anyone can draw again."""

from edgewise.figures.comparison import comparison
from edgewise.figures.overlay import overlay
from edgewise.figures.overview import overview
from edgewise.figures.plate import Curve, Field, Level, Panel, plate
from edgewise.figures.save import save
from edgewise.figures.spectrum import spectrum
from edgewise.figures.style import FAINT, INK, PALETTE

__all__ = [
    "FAINT",
    "INK",
    "PALETTE",
    "Curve",
    "Field",
    "Level",
    "Panel",
    "comparison",
    "overlay",
    "overview",
    "plate",
    "save",
    "spectrum",
]
