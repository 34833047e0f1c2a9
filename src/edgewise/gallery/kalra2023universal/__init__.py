"""Universal sharpness dynamics: fixed points, edge of stability and route to chaos (Kalra et al. 2023)."""

from edgewise.gallery.kalra2023universal.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
