"""Beyond the quadratic approximation: the multiscale structure of loss landscapes (Ma, Kunin, Wu, Ying 2022)."""

from edgewise.gallery.ma2022beyond.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
