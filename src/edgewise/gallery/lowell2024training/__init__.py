"""Training on the edge of stability is caused by layerwise Jacobian alignment (Lowell & Kastner 2024)."""

from edgewise.gallery.lowell2024training.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
