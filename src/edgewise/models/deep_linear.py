"""Deep linear networks: products of matrices, the simplest models that sharpen."""

from dataclasses import dataclass
from typing import final

import torch
from torch import nn

from edgewise.models.model import Model, positive


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeepLinear(Model):
    """A product of matrices without biases.

        f(x) = W_L ⋯ W_2 W_1 x,   all Xavier-normal at the start

    Args:
        depth: L.
        width: of the layers between; None takes that of the input.

    Raises:
        SettingError: if depth or width is not positive.

    References:
        cohen2021gradient, glorot2010understanding
    """

    depth: int = 20
    width: int | None = None

    def __post_init__(self) -> None:
        positive(self, depth=self.depth, width=1 if self.width is None else self.width)

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Flatten, then `depth` linear layers."""
        size = torch.Size(input_shape).numel()
        sizes = [size, *[self.width or size] * (self.depth - 1), outputs]
        layers = [nn.Linear(sizes[k], sizes[k + 1], bias=False) for k in range(self.depth)]
        for layer in layers:
            nn.init.xavier_normal_(layer.weight)
        return nn.Sequential(nn.Flatten(), *layers)
