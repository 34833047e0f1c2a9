"""Batches as small as those of the training, cut from the probe batch; what a mean over them is worth.

In mean square the noise of batches brings the edge nearer. Where the optimiser divides by the size of its
gradients, though, it divides by their noise too, and by what a displacement adds to that once it is as large as
what was there before: how much of it counts lies between nothing and all.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from edgewise.foundation import generator
from edgewise.methods import CriticalLine

_MOST = 8
# So few batches do not tell this share from none, of which weight decay would hold any amount.
_LITTLE = 0.01


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


def edge_ratios(line: CriticalLine, single: float, agreed: float) -> tuple[float, float, float]:
    """The edge ratio of batches: what it is at least, the middle by ratio of what is left open, and at most.

    Args:
        line: of the optimiser.
        single: the curvature of single batches.
        agreed: what of it their mean has.
    """
    share = min(max(agreed / single, 0.0), 1.0) if single > 0 else 1.0
    edge = line.in_mean_square(share)
    most = single / (edge if share else min(edge, line.in_mean_square(_LITTLE)))
    least = share * single / line.critical_curvature if line.adaptive else most
    return least, math.sqrt(least * most) if least > 0 else 0.0, most
