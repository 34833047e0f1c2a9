"""Residual networks for small images."""

from dataclasses import dataclass
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.models.activations import activation_layer
from edgewise.models.model import Model, image_shape, positive
from edgewise.models.normalization import BatchNorm


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ResNet(Model):
    """The residual network of the CIFAR experiments: three stages of blocks x ↦ φ(x + F(x)).

    F is convolution, normalisation, activation, convolution, normalisation. From stage to stage the image is
    halved and the channels doubled; there the shortcut takes every second pixel and fills the new channels
    with zeros, so that it has no parameters. The head is a mean over positions and a linear layer.

    Args:
        blocks: per stage; the network has 6 · blocks + 2 layers, so 3 is ResNet-20.
        width: channels of the first stage.
        batch_norm: normalise over the batch; the objective then needs a fixed partition into ghost batches.
            Without, the convolutions have biases instead.
        activation: φ, a key of `ACTIVATIONS`.

    Raises:
        SettingError: if a number is not positive or the activation is unknown.

    Example:
        >>> sum(p.numel() for p in ResNet().build((3, 32, 32), 10, seed=0).parameters())
        269722

    References:
        he2016deep
    """

    blocks: int = 3
    width: int = 16
    batch_norm: bool = True
    activation: str = "relu"

    def __post_init__(self) -> None:
        activation_layer(self.activation)
        positive(self, blocks=self.blocks, width=self.width)

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Convolution, three stages, mean, linear."""
        channels, _, _ = image_shape(self, input_shape, least=4)
        layers = [*self._convolution(channels, self.width, 1), activation_layer(self.activation)]
        before = self.width
        for stage in range(3):
            after = self.width * 2**stage
            for block in range(self.blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                body = nn.Sequential(
                    *self._convolution(before, after, stride),
                    activation_layer(self.activation),
                    *self._convolution(after, after, 1),
                )
                layers.append(_Residual(body, activation_layer(self.activation), stride, after - before))
                before = after
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))

    def _convolution(self, before: int, after: int, stride: int) -> list[nn.Module]:
        # A bias before a batch normalisation would be an exactly flat direction.
        convolution = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=not self.batch_norm)
        return [convolution, BatchNorm(after)] if self.batch_norm else [convolution]


@final
class _Residual(nn.Module):
    """x ↦ φ(shortcut(x) + F(x))."""

    def __init__(self, body: nn.Module, activation: nn.Module, stride: int, new_channels: int) -> None:
        super().__init__()
        self.body = body
        self.activation = activation
        self.stride = stride
        self.new_channels = new_channels

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        out: Tensor = self.activation(shortcut + self.body(x))
        return out
