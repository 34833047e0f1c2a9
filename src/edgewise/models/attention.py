"""The block that transformers repeat: attention and a small network, each around a shortcut.

Attention is written out. PyTorch's fused `scaled_dot_product_attention` has no second derivative, so
neither it nor `nn.MultiheadAttention` can be used where curvature is measured.
"""

from typing import final

import torch
from torch import Tensor, nn

from edgewise.foundation import SettingError
from edgewise.models.activations import activation_layer
from edgewise.models.model import Model, positive
from edgewise.models.normalization import LayerNorm


@final
class SelfAttention(nn.Module):
    """Multi-head self-attention.

        A = softmax(Q Kᵀ/√d + M) V,   d = width/heads

    with M = 0, or −∞ above the diagonal if causal, so that no token sees a later one.

    Args:
        width: of the tokens' vectors.
        heads: how many; divides the width.
        causal: whether later tokens are hidden.

    References:
        vaswani2017attention
    """

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.in_projection = nn.Linear(width, 3 * width)
        self.out_projection = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(samples, tokens, width) to the same shape."""
        n, tokens, width = x.shape
        projected = self.in_projection(x).view(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = projected.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5
        if self.causal:
            later = torch.ones(tokens, tokens, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(later, float("-inf"))
        mixed = torch.softmax(scores, dim=-1) @ v
        out: Tensor = self.out_projection(mixed.transpose(1, 2).reshape(n, tokens, width))
        return out


@final
class Block(nn.Module):
    """A transformer block with the normalisation first.

        x ← x + attention(norm(x));   x ← x + network(norm(x))

    Args:
        width: of the tokens' vectors.
        heads: of the attention.
        expansion: hidden width of the network, in multiples of the width.
        activation: of the network.
        causal: whether later tokens are hidden.
    """

    def __init__(self, width: int, heads: int, expansion: int, activation: str, causal: bool) -> None:
        super().__init__()
        self.norm_attention = LayerNorm(width)
        self.attention = SelfAttention(width, heads, causal)
        self.norm_network = LayerNorm(width)
        self.network = nn.Sequential(
            nn.Linear(width, expansion * width),
            activation_layer(activation),
            nn.Linear(expansion * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(samples, tokens, width) to the same shape."""
        x = x + self.attention(self.norm_attention(x))
        out: Tensor = x + self.network(self.norm_network(x))
        return out


def check_blocks(model: Model, *, layers: int, width: int, heads: int, expansion: int, activation: str) -> None:
    """Refuse sizes of which no blocks can be made.

    Raises:
        SettingError: if a number is not positive, heads do not divide the width, or the activation is unknown.
    """
    positive(model, layers=layers, width=width, heads=heads, expansion=expansion)
    activation_layer(activation)
    if width % heads:
        raise SettingError(
            f"{type(model).__name__}(width={width}, heads={heads})",
            "the heads share the width evenly",
            f"Type width={heads * (width // heads + 1)}, or heads=1",
        )
