"""Gradient descent on neural networks typically occurs at the edge of stability (Cohen et al. 2021)."""

from edgewise.gallery.cohen2021gradient.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
