"""The sharpness gap of stochastic gradient descent, and its spikes (Liao et al. 2026)."""

from edgewise.gallery.liao2026sharpness.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
