"""Analyzing sharpness along the trajectory of gradient descent (Li, Wang, Li 2022)."""

from edgewise.gallery.li2022analyzing.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
