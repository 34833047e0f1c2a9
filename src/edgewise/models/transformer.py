"""A small decoder-only transformer for character-level language models."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from edgewise.foundation import SettingError
from edgewise.models.attention import Block, check_blocks
from edgewise.models.model import Model
from edgewise.models.normalization import LayerNorm


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer(Model):
    """A decoder-only transformer: tokens in, logits of the next token out at every position.

    The context is the length of the inputs; the vocabulary is the number of outputs. Attention and
    normalisation are written from primitives, so that second and third derivatives are right. Token and
    position vectors start at N(0, 1), PyTorch's default for embeddings: with the common 0.02, the first
    normalisation would multiply their curvature by 2,500. Input and output tables are not tied.

    Args:
        layers: blocks.
        width: of the tokens' vectors.
        heads: of the attention; divides the width.
        expansion: hidden width of each block's network, in multiples of the width.
        activation: of those networks, a key of `ACTIVATIONS`.

    Raises:
        SettingError: if a number is not positive, heads do not divide the width, or the activation is unknown.

    References:
        vaswani2017attention, radford2019language
    """

    layers: int = 3
    width: int = 128
    heads: int = 4
    expansion: int = 4
    activation: str = "gelu"

    def __post_init__(self) -> None:
        check_blocks(
            self,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            expansion=self.expansion,
            activation=self.activation,
        )

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Embeddings, blocks, linear: (samples, context) to (samples, context, vocabulary)."""
        if len(input_shape) != 1:
            raise SettingError(
                f"Transformer for inputs of shape {input_shape}",
                "it takes one token at each position of a context",
                "Use ViT for images, or give tokens of shape (samples, context)",
            )
        blocks = [
            Block(self.width, self.heads, self.expansion, self.activation, causal=True) for _ in range(self.layers)
        ]
        return nn.Sequential(
            _Tokens(outputs, input_shape[0], self.width),
            *blocks,
            LayerNorm(self.width),
            nn.Linear(self.width, outputs),
        )


@final
class _Tokens(nn.Module):
    """Each token's vector, plus that of its position."""

    def __init__(self, vocabulary: int, context: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(context, width))

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.table(tokens) + self.positions
        return out
