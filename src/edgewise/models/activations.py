"""Activations and poolings by name."""

from collections.abc import Callable, Mapping

from torch import nn

from edgewise.foundation import SettingError

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardtanh": nn.Hardtanh,
    "identity": nn.Identity,
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "swish": nn.SiLU,
    "tanh": nn.Tanh,
}
"""Elementwise activations; swish is another name of silu."""

POOLINGS: Mapping[str, Callable[[int], nn.Module]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
"""What is kept of each window."""


def activation_layer(name: str) -> nn.Module:
    """The activation of that name.

    Raises:
        SettingError: if there is none.
    """
    if name not in ACTIVATIONS:
        raise SettingError(
            f"activation={name!r}", "there is no activation of that name", f"Choose from {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]()


def pooling_layer(name: str) -> nn.Module:
    """The 2 × 2 pooling of that name.

    Raises:
        SettingError: if there is none.
    """
    if name not in POOLINGS:
        raise SettingError(
            f"pooling={name!r}", "there is no pooling of that name", f"Choose from {', '.join(POOLINGS)}"
        )
    return POOLINGS[name](2)
