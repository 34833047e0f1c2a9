"""From stability to chaos: the five phases of gradient descent in quadratic regression (Chen et al. 2023)."""

from edgewise.gallery.chen2023stability.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
