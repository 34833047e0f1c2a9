"""Beyond the edge of stability by two-step gradient updates (Chen, Bruna 2022)."""

from edgewise.gallery.chen2022two.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
