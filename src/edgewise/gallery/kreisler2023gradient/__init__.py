"""Gradient descent monotonically decreases the sharpness of gradient flow solutions (Kreisler et al. 2023)."""

from edgewise.gallery.kreisler2023gradient.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
