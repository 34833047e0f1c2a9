"""Generalization at the edge of stability: the sharpness dimension (Tuci et al. 2026)."""

from edgewise.gallery.tuci2026generalization.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
