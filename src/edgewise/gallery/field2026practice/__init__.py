"""The practical questions of the field: does the edge train faster, do larger step sizes generalise better?"""

from edgewise.gallery.field2026practice.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
