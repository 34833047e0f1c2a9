"""Self-stabilisation: gradient descent at the edge of stability follows a projected one (Damian et al. 2022)."""

from edgewise.gallery.damian2022selfstabilization.exhibits import REPRODUCTION

__all__ = ["REPRODUCTION"]
