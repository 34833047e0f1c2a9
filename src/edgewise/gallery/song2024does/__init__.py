"""Does SGD really happen in tiny subspaces? (Song, Ahn, Yun 2024)."""

from edgewise.gallery.song2024does.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
