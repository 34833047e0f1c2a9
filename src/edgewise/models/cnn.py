"""Small convolutional networks."""

from dataclasses import dataclass
from typing import final

from torch import nn

from edgewise.models.activations import activation_layer, pooling_layer
from edgewise.models.model import Model, image_shape, positive
from edgewise.models.normalization import BatchNorm


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CNN(Model):
    """Blocks of 3 × 3 convolution, activation and 2 × 2 pooling, then one linear layer.

    Args:
        channels: of each block.
        pooling: "max" or "average"; the average keeps the loss smooth.
        activation: a key of `ACTIVATIONS`.
        batch_norm: normalise over the batch, after the activation and before the pooling. The objective
            then needs a fixed partition into ghost batches.

    Raises:
        SettingError: if a number of channels is not positive or a name is unknown.

    Example:
        >>> sum(p.numel() for p in CNN().build((3, 32, 32), 10, seed=0).parameters())
        30634

    References:
        cohen2021gradient
    """

    channels: tuple[int, ...] = (32, 32)
    pooling: str = "max"
    activation: str = "tanh"
    batch_norm: bool = False

    def __post_init__(self) -> None:
        activation_layer(self.activation)
        pooling_layer(self.pooling)
        positive(self, **{f"channels[{index}]": number for index, number in enumerate(self.channels)})

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The blocks, flatten, linear."""
        before, height, width = image_shape(self, input_shape, least=2 ** len(self.channels))
        layers: list[nn.Module] = []
        for channels in self.channels:
            layers += [nn.Conv2d(before, channels, 3, padding=1), activation_layer(self.activation)]
            layers += [BatchNorm(channels)] if self.batch_norm else []
            layers += [pooling_layer(self.pooling)]
            before, height, width = channels, height // 2, width // 2
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * height * width, outputs))
