"""Does weight decay enhance training stability? (Saether, Kolic, Poggio, Beneventano 2026)."""

from edgewise.gallery.saether2026does.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
