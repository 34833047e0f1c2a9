"""Normalised gradient descent and descent on √L at a manifold of minimisers (Arora, Li, Panigrahi 2022)."""

from edgewise.gallery.arora2022understanding.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
