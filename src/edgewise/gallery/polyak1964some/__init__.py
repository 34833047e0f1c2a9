"""Where gradient descent and its momenta lose stability on a quadratic, and what momentum is for (Polyak 1964)."""

from edgewise.gallery.polyak1964some.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
