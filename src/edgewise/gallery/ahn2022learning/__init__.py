"""Learning threshold neurons via the edge of stability (Ahn, Bubeck, Chewi, Lee, Suarez, Zhang 2022)."""

from edgewise.gallery.ahn2022learning.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
