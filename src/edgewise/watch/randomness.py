"""The random numbers of somebody else's process: set aside, and put back to the bit.

A model that is asked for its loss may draw: dropout, layers left out at random, augmentation in `forward`. To
compare losses at two places it has to draw alike at both, and the training must not notice that it was asked.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def randomness_kept(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside, the generators of Python, NumPy and PyTorch are as they were afterwards.

    Args:
        device: whose generator is kept beside that of the CPU.
    """
    python, cpu = random.getstate(), torch.get_rng_state()
    numbers = np.random.get_state()  # noqa: NPY002  # whatever a model may draw from
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, device)


def draw_alike(seed: int, device: torch.device) -> None:
    """Start all those generators from a seed; only inside `randomness_kept`."""
    # Not torch.manual_seed, which seeds every accelerator there is.
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        torch.cuda.default_generators[index].manual_seed(seed)
