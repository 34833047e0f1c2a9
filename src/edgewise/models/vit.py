"""A small vision transformer."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from edgewise.foundation import SettingError
from edgewise.models.attention import Block, check_blocks
from edgewise.models.model import Model, image_shape, positive
from edgewise.models.normalization import LayerNorm


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ViT(Model):
    """A vision transformer: patches as tokens, blocks, a mean over tokens, a linear layer.

    Attention and normalisation are written from primitives, so that second and third derivatives are
    right. Positions start at N(0, 0.02²), everything else as PyTorch's default.

    Args:
        patch: side of the square patches, which tile the image.
        layers: blocks.
        width: of the tokens' vectors.
        heads: of the attention; divides the width.
        expansion: hidden width of each block's network, in multiples of the width.
        activation: of those networks, a key of `ACTIVATIONS`.

    Raises:
        SettingError: if a number is not positive, heads do not divide the width, or the activation is unknown.

    References:
        dosovitskiy2021image
    """

    patch: int = 4
    layers: int = 3
    width: int = 64
    heads: int = 4
    expansion: int = 4
    activation: str = "gelu"

    def __post_init__(self) -> None:
        positive(self, patch=self.patch)
        check_blocks(
            self,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            expansion=self.expansion,
            activation=self.activation,
        )

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Patches, blocks, mean, linear."""
        channels, height, width = image_shape(self, input_shape)
        if height % self.patch or width % self.patch:
            raise SettingError(
                f"ViT(patch={self.patch}) for images of {height} × {width}",
                "patches tile the image without rest",
                "Choose a patch that divides height and width",
            )
        blocks = [
            Block(self.width, self.heads, self.expansion, self.activation, causal=False)
            for _ in range(self.layers)
        ]
        return nn.Sequential(
            _Patches(channels, height, width, self.patch, self.width),
            *blocks,
            LayerNorm(self.width),
            _MeanOverTokens(),
            nn.Linear(self.width, outputs),
        )


@final
class _Patches(nn.Module):
    """Each patch through one linear map, plus its position."""

    def __init__(self, channels: int, height: int, width: int, patch: int, token_width: int) -> None:
        super().__init__()
        self.patch = patch
        self.projection = nn.Linear(channels * patch * patch, token_width)
        tokens = (height // patch) * (width // patch)
        self.positions = nn.Parameter(0.02 * torch.randn(tokens, token_width))

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        p = self.patch
        patches = x.reshape(n, channels, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        out: Tensor = self.projection(patches.reshape(n, -1, channels * p * p)) + self.positions
        return out


@final
class _MeanOverTokens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)
