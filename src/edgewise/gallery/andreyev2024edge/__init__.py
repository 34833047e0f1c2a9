"""The edge of stochastic stability (Andreyev, Beneventano 2024)."""

from edgewise.gallery.andreyev2024edge.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
