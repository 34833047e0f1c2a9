"""Gradient descent with Polyak's momentum finds flatter minima via large catapults (Phunyaphibarn et al. 2024)."""

from edgewise.gallery.phunyaphibarn2024gradient.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
