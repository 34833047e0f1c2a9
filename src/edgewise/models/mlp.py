"""Fully connected networks."""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.foundation import SettingError
from edgewise.models.activations import activation_layer
from edgewise.models.model import Model, positive

# β of jacot2018neural, which keeps the biases from learning faster than the weights.
_NTK_BIAS_SCALE = 0.1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MLP(Model):
    """A fully connected network.

        z_{l+1} = W_l φ(z_l) + b_l                           (standard; PyTorch's default initialisation)
        z_{l+1} = W_l φ(z_l)/√fan_in + β b_l                 (ntk; W, b ~ N(0, 1), β = 0.1)

    with φ(z_0) the flattened input. Inputs of any shape are flattened.

    Args:
        widths: of the hidden layers; () is a linear model.
        activation: φ, a key of `ACTIVATIONS`.
        parameterization: "standard" or "ntk". In "ntk", gradients keep their size as the network gets
            wider, so that one step size does for all widths and sharpening vanishes in the limit.
        bias: whether the layers have biases.

    Raises:
        SettingError: if a width is not positive or a name is unknown.

    Example:
        >>> sum(p.numel() for p in MLP(widths=(200, 200)).build((3, 32, 32), 10, seed=0).parameters())
        656810

    References:
        cohen2021gradient, jacot2018neural
    """

    widths: tuple[int, ...] = (200, 200)
    activation: str = "tanh"
    parameterization: str = "standard"
    bias: bool = True

    def __post_init__(self) -> None:
        activation_layer(self.activation)
        positive(self, **{f"widths[{index}]": width for index, width in enumerate(self.widths)})
        if self.parameterization not in ("standard", "ntk"):
            raise SettingError(
                f"parameterization={self.parameterization!r}",
                "there is no parameterisation of that name",
                "Choose from standard, ntk",
            )

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Flatten, then linear layers with activations between them."""
        linear = nn.Linear if self.parameterization == "standard" else NTKLinear
        layers: list[nn.Module] = [nn.Flatten()]
        before = torch.Size(input_shape).numel()
        for width in self.widths:
            layers += [linear(before, width, bias=self.bias), activation_layer(self.activation)]
            before = width
        return nn.Sequential(*layers, linear(before, outputs, bias=self.bias))


@final
class NTKLinear(nn.Module):
    """A linear layer in the parameterisation of the neural tangent kernel: y = W x/√fan_in + β b."""

    def __init__(self, fan_in: int, fan_out: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in))
        self.bias = nn.Parameter(torch.randn(fan_out)) if bias else None
        self.scale = fan_in**-0.5

    def forward(self, x: Tensor) -> Tensor:
        """W x/√fan_in + β b."""
        bias = None if self.bias is None else _NTK_BIAS_SCALE * self.bias
        return F.linear(x, self.scale * self.weight, bias)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OneHiddenLayer(Model):
    """The network that fits Chebyshev polynomials: one hidden layer, no bias at the output.

        f(x) = V φ(W x + b),   W and V Xavier-normal with gains `gain` and 1,   b = 0 at the start

    Args:
        width: of the hidden layer.
        activation: φ, a key of `ACTIVATIONS`.
        gain: of the first layer; 1.9 makes it wiggly enough for the polynomials.

    Raises:
        SettingError: if the width is not positive, the gain not positive, or the activation unknown.

    References:
        cohen2021gradient, glorot2010understanding
    """

    width: int = 100
    activation: str = "tanh"
    gain: float = 1.9

    def __post_init__(self) -> None:
        activation_layer(self.activation)
        positive(self, width=self.width)
        if not self.gain > 0:
            raise SettingError(f"gain={self.gain}", "it scales the initial weights, so above 0", "Type gain=1.9")

    def assemble(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """Flatten, linear, activation, linear."""
        first = nn.Linear(torch.Size(input_shape).numel(), self.width)
        last = nn.Linear(self.width, outputs, bias=False)
        nn.init.xavier_normal_(first.weight, gain=self.gain)
        nn.init.zeros_(first.bias)
        nn.init.xavier_normal_(last.weight)
        return nn.Sequential(nn.Flatten(), first, activation_layer(self.activation), last)
