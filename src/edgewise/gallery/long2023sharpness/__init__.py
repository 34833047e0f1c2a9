"""Sharpness-aware minimisation and the edge of stability (Long, Bartlett 2023)."""

from edgewise.gallery.long2023sharpness.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
