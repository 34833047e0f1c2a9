"""Explicit random generators; edgewise never touches a global seed.

A run has one integer seed. Whoever needs randomness asks for a stream by name, so that adding a
probe does not shift the numbers another one draws.
"""

import hashlib

import torch

from edgewise.foundation.errors import SettingError


def derive_seed(seed: int, *names: str) -> int:
    """The seed of the stream `names` below `seed`: 63 bits of a SHA-256 of both.

    Args:
        seed: the run's seed, a non-negative integer.
        names: the path of the stream, for example `("gd", "sharpness")`.

    Raises:
        SettingError: if `seed` is negative.
    """
    if seed < 0:
        raise SettingError(f"seed={seed}", "a seed is a non-negative integer", "Type seed=0")
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for the stream `names` below `seed`, on `device`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, *names))
