"""Non-normal spectral signatures of instability in training dynamics (Ghosh 2026)."""

from edgewise.gallery.ghosh2026nonnormal.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
