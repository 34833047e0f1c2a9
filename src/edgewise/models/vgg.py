"""VGG-11 as it is used on CIFAR-10, without dropout."""

from dataclasses import dataclass
from typing import final

from torch import nn

from edgewise.models.activations import activation_layer, pooling_layer
from edgewise.models.model import Model, image_shape, positive
from edgewise.models.normalization import BatchNorm

# Configuration A of simonyan2015very: channels in multiples of the width, 0 for a pooling.
_PLAN = (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VGG11(Model):
    """Eight 3 × 3 convolutions with five poolings, and a classifier of three linear layers.

    Dropout is left out, since it would make the loss random. Convolutions start with weights
    N(0, 2/(9 · channels)) and zero biases; linear layers as PyTorch's default.

    Args:
        width: channels of the first convolution; the last have eight times as many (64 … 512 by default),
            as have the hidden layers of the classifier.
        batch_norm: normalise over the batch, between convolution and activation (in `CNN` it comes after
            the activation; both as in the paper). The objective then needs a fixed partition into ghost
            batches.
        activation: a key of `ACTIVATIONS`.
        pooling: "max" or "average".

    Raises:
        SettingError: if the width is not positive or a name is unknown.

    Example:
        >>> sum(p.numel() for p in VGG11().build((3, 32, 32), 10, seed=0).parameters())
        9750922

    References:
        simonyan2015very, cohen2021gradient
    """

    width: int = 64
    batch_norm: bool = False
    activation: str = "relu"
    pooling: str = "max"

    def __post_init__(self) -> None:
        activation_layer(self.activation)
        pooling_layer(self.pooling)
        positive(self, width=self.width)

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Convolutions, flatten, classifier."""
        before, height, width = image_shape(self, input_shape, least=32)
        layers: list[nn.Module] = []
        convolutions = []
        for multiple in _PLAN:
            if multiple == 0:
                layers.append(pooling_layer(self.pooling))
                continue
            convolution = nn.Conv2d(before, multiple * self.width, 3, padding=1)
            before = multiple * self.width
            layers += [convolution, *([BatchNorm(before)] if self.batch_norm else [])]
            layers.append(activation_layer(self.activation))
            convolutions.append(convolution)
        layers.append(nn.Flatten())
        for size in (before * (height // 32) * (width // 32), before):
            layers += [nn.Linear(size, before), activation_layer(self.activation)]
        layers.append(nn.Linear(before, outputs))
        for convolution in convolutions:
            # Drawn after the default initialisation of all layers, as in the paper's script.
            nn.init.normal_(convolution.weight, 0.0, (2.0 / (9 * convolution.out_channels)) ** 0.5)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # these convolutions have a bias
        return nn.Sequential(*layers)
