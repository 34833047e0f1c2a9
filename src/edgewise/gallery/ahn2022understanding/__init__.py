"""Understanding the unstable convergence of gradient descent (Ahn, Zhang, Sra 2022)."""

from edgewise.gallery.ahn2022understanding.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
