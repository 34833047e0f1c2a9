"""Normalisations written from primitives, because their derivatives are needed three times.

PyTorch's own kernels for layer and batch normalisation return wrong third derivatives by every autodiff
route (2.13, float64, against differences of Hessian-vector products); products, means and `rsqrt` return
right ones.
"""

from typing import ClassVar, final

import torch
from torch import Tensor, nn


@final
class LayerNorm(nn.Module):
    """Layer normalisation over the last axis.

        y = γ (x − mean x) / √(var x + ε) + β

    with the population variance; γ starts at 1 and β at 0.

    Args:
        width: the length of the last axis.
        eps: ε.

    References:
        ba2016layer
    """

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every sample (token) by itself."""
        return _standardize(x, (-1,), self.eps) * self.weight + self.bias


@final
class BatchNorm(nn.Module):
    """Batch normalisation per channel, always with the statistics of the batch at hand.

        y = γ_c (x − mean_c) / √(var_c + ε) + β_c

    mean and population variance over samples and positions; γ starts at 1 and β at 0. There are no running
    statistics, and train and eval mode are the same: the loss is a function of the parameters once the
    data are partitioned into fixed ghost batches, which the objective sees to.

    Args:
        channels: the length of the second axis.
        eps: ε.

    References:
        ioffe2015batch
    """

    mixes_samples: ClassVar[bool] = True
    """One sample's output depends on the others in its batch: a loss with this layer needs a fixed partition."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every channel over the batch."""
        positions = tuple(range(2, x.ndim))
        per_channel = (-1, *(1 for _ in positions))
        normalized = _standardize(x, (0, *positions), self.eps)
        return normalized * self.weight.view(per_channel) + self.bias.view(per_channel)


def _standardize(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + eps)
