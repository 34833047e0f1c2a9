"""Momentum at the edge of stochastic stability, in small batches and in large ones (Andreyev et al. 2026)."""

from edgewise.gallery.andreyev2026momentum.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
