"""Batches as small as those of the training, cut from the probe batch; and what a mean over them is worth."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from edgewise.foundation import generator

_MOST = 8


def cut(samples: int, size: int | None, seed: int, step: int, device: torch.device) -> list[Tensor]:
    """Numbers of the samples in each batch: eight of them if the probe batch has as many, anew at every step.

    Args:
        samples: of the probe batch.
        size: of a batch; None if it is not known.
        seed: of the order.
        step: as well.
        device: of the numbers.

    Returns:
        Nothing, where the probe batch does not have two of them.
    """
    count = 0 if size is None else min(samples // size, _MOST)
    if size is None or count < 2:
        return []
    order = torch.randperm(samples, generator=generator(seed, "pieces", str(step))).to(device)
    return [order[i * size : (i + 1) * size] for i in range(count)]


def half_width(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean of independent values, by Student's t; infinite for a single one."""
    count = len(values)
    if count < 2:
        return math.inf
    return float(stdtrit(count - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(count))
