"""Adaptive gradient methods at the edge of stability (Cohen et al. 2022)."""

from edgewise.gallery.cohen2022adaptive.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
