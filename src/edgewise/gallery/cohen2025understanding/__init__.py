"""Understanding optimization in deep learning with central flows (Cohen et al. 2025)."""

from edgewise.gallery.cohen2025understanding.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
