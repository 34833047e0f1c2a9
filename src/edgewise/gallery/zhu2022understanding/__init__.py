"""Understanding edge-of-stability training dynamics with a minimalist example (Zhu, Wang, Wang, Zhou, Ge 2022)."""

from edgewise.gallery.zhu2022understanding.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
