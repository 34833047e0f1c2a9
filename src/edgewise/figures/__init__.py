"""Records → pictures: every figure is a function of measured numbers, which anyone can draw again."""

from edgewise.figures.animation import Film, Trail, film, walk
from edgewise.figures.comparison import comparison
from edgewise.figures.overlay import overlay
from edgewise.figures.overview import overview
from edgewise.figures.plate import Curve, Field, Level, Panel, plate
from edgewise.figures.readings import readings
from edgewise.figures.save import save
from edgewise.figures.save_film import save_film
from edgewise.figures.spectrum import spectrum
from edgewise.figures.style import FAINT, INK, PALETTE

__all__ = [
    "FAINT",
    "INK",
    "PALETTE",
    "Curve",
    "Field",
    "Film",
    "Level",
    "Panel",
    "Trail",
    "comparison",
    "film",
    "overlay",
    "overview",
    "plate",
    "readings",
    "save",
    "save_film",
    "spectrum",
    "walk",
]
