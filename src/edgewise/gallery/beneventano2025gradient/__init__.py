"""Gradient descent on shallow linear networks ends flatter than gradient flow (Beneventano, Woodworth 2025)."""

from edgewise.gallery.beneventano2025gradient.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
