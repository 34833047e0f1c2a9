"""Records → pictures: every figure is a function of measured numbers, which anyone can draw again."""

from edgewise.figures.comparison import comparison
from edgewise.figures.overview import overview
from edgewise.figures.save import save
from edgewise.figures.spectrum import spectrum

__all__ = [
    "comparison",
    "overview",
    "save",
    "spectrum",
]
