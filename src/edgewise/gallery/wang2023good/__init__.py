"""Good regularity creates the edge of stability, balancing and catapults (Wang, Xu, Zhao, Tao 2023)."""

from edgewise.gallery.wang2023good.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
