"""Critical sharpness: a scalable measure of curvature, beside what it stands for and put to use (2026)."""

from edgewise.gallery.critical2026sharpness.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
