"""How SGD selects the global minima: it is pickier than gradient descent (Wu, Ma, E 2018)."""

from edgewise.gallery.wu2018how.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
