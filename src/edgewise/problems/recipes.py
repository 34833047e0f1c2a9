"""The named problems: what the papers train, and small relatives of it.

Each recipe is a function that returns a complete `Problem`. Beside its own options each takes those of
`Setting`. Nothing is read until the problem's objective is asked for.
"""

from typing import TypedDict, Unpack

import torch

from edgewise.data import CIFAR10, MNIST, CharacterText, Chebyshev, Digits, FashionMNIST, LinearMap
from edgewise.models import CNN, MLP, VGG11, DeepLinear, OneHiddenLayer, ResNet, Transformer, ViT
from edgewise.problems.criteria import CrossEntropy, SquaredError, criterion_named
from edgewise.problems.problem import Problem

Classes = tuple[str | int, ...]

# The size of the ghost batches of cohen2021gradient.
_GHOST_BATCH = 1000


class Setting(TypedDict, total=False):
    """What every recipe takes: see `Problem`."""

    seed: int
    dtype: torch.dtype
    device: str
    chunk_size: int | None
    ghost_batch: int | None


def digits_mlp(
    n: int | None = None,
    classes: Classes | None = None,
    widths: tuple[int, ...] = (64, 64),
    activation: str = "tanh",
    parameterization: str = "standard",
    loss: str = "mse",
    **setting: Unpack[Setting],
) -> Problem:
    """A fully connected network on scikit-learn's digits: real data without a download."""
    return Problem(
        name="digits_mlp",
        data=Digits(n=n, classes=classes),
        model=MLP(widths=widths, activation=activation, parameterization=parameterization),
        criterion=criterion_named(loss),
        **setting,
    )


def digits_cnn(
    n: int | None = None,
    classes: Classes | None = None,
    channels: tuple[int, ...] = (8, 8),
    pooling: str = "average",
    activation: str = "tanh",
    batch_norm: bool = False,
    loss: str = "mse",
    **setting: Unpack[Setting],
) -> Problem:
    """A small convolutional network on scikit-learn's digits."""
    return Problem(
        name="digits_cnn",
        data=Digits(n=n, classes=classes),
        model=CNN(channels=channels, pooling=pooling, activation=activation, batch_norm=batch_norm),
        criterion=criterion_named(loss),
        **_partitioned(setting, batch_norm),
    )


def mnist_mlp(
    n: int | None = 1000,
    classes: Classes | None = None,
    widths: tuple[int, ...] = (200, 200),
    activation: str = "tanh",
    parameterization: str = "standard",
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """A fully connected network on the first n images of MNIST."""
    return Problem(
        name="mnist_mlp",
        data=MNIST(n=n, classes=classes, folder=folder),
        model=MLP(widths=widths, activation=activation, parameterization=parameterization),
        criterion=criterion_named(loss),
        **setting,
    )


def fashion_mnist_mlp(
    n: int | None = 1000,
    classes: Classes | None = None,
    widths: tuple[int, ...] = (200, 200),
    activation: str = "tanh",
    parameterization: str = "standard",
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """A fully connected network on the first n images of Fashion-MNIST."""
    return Problem(
        name="fashion_mnist_mlp",
        data=FashionMNIST(n=n, classes=classes, folder=folder),
        model=MLP(widths=widths, activation=activation, parameterization=parameterization),
        criterion=criterion_named(loss),
        **setting,
    )


def cifar10_mlp(
    n: int | None = 1000,
    classes: Classes | None = None,
    widths: tuple[int, ...] = (200, 200),
    activation: str = "tanh",
    parameterization: str = "standard",
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """The fully connected network of cohen2021gradient on the first n images of CIFAR-10 (`fc-tanh`)."""
    return Problem(
        name="cifar10_mlp",
        data=CIFAR10(n=n, classes=classes, folder=folder),
        model=MLP(widths=widths, activation=activation, parameterization=parameterization),
        criterion=criterion_named(loss),
        **setting,
    )


def cifar10_cnn(
    n: int | None = 1000,
    classes: Classes | None = None,
    channels: tuple[int, ...] = (32, 32),
    pooling: str = "max",
    activation: str = "tanh",
    batch_norm: bool = False,
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """The convolutional networks of cohen2021gradient (`cnn-tanh`, `cnn-avgpool-relu`, `cnn-bn-elu` …)."""
    return Problem(
        name="cifar10_cnn",
        data=CIFAR10(n=n, classes=classes, folder=folder),
        model=CNN(channels=channels, pooling=pooling, activation=activation, batch_norm=batch_norm),
        criterion=criterion_named(loss),
        **_partitioned(setting, batch_norm),
    )


def cifar10_vgg(
    n: int | None = 1000,
    classes: Classes | None = None,
    width: int = 64,
    activation: str = "relu",
    pooling: str = "max",
    batch_norm: bool = False,
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """VGG-11 without dropout on CIFAR-10, with or without batch normalisation in ghost batches of 1,000."""
    return Problem(
        name="cifar10_vgg",
        data=CIFAR10(n=n, classes=classes, folder=folder),
        model=VGG11(width=width, activation=activation, pooling=pooling, batch_norm=batch_norm),
        criterion=criterion_named(loss),
        **_partitioned(setting, batch_norm),
    )


def cifar10_resnet(
    n: int | None = 1000,
    classes: Classes | None = None,
    blocks: int = 3,
    width: int = 16,
    activation: str = "relu",
    batch_norm: bool = True,
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """A residual network of 6 · blocks + 2 layers on CIFAR-10."""
    return Problem(
        name="cifar10_resnet",
        data=CIFAR10(n=n, classes=classes, folder=folder),
        model=ResNet(blocks=blocks, width=width, activation=activation, batch_norm=batch_norm),
        criterion=criterion_named(loss),
        **_partitioned(setting, batch_norm),
    )


def cifar10_vit(
    n: int | None = 1000,
    classes: Classes | None = None,
    patch: int = 4,
    layers: int = 3,
    width: int = 64,
    heads: int = 4,
    activation: str = "gelu",
    loss: str = "mse",
    folder: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """A small vision transformer on CIFAR-10."""
    return Problem(
        name="cifar10_vit",
        data=CIFAR10(n=n, classes=classes, folder=folder),
        model=ViT(patch=patch, layers=layers, width=width, heads=heads, activation=activation),
        criterion=criterion_named(loss),
        **setting,
    )


def text_gpt(
    n: int | None = 256,
    context: int = 64,
    layers: int = 3,
    width: int = 128,
    heads: int = 4,
    activation: str = "gelu",
    path: str | None = None,
    **setting: Unpack[Setting],
) -> Problem:
    """A character-level transformer on the first n windows of a text, by default Tiny Shakespeare."""
    return Problem(
        name="text_gpt",
        data=CharacterText(path=path, context=context, n=n),
        model=Transformer(layers=layers, width=width, heads=heads, activation=activation),
        criterion=CrossEntropy(),
        **setting,
    )


def chebyshev_mlp(
    degree: int = 3,
    n: int = 20,
    width: int = 100,
    activation: str = "tanh",
    **setting: Unpack[Setting],
) -> Problem:
    """One hidden layer fitting a Chebyshev polynomial: the smallest network that reaches its edge."""
    return Problem(
        name="chebyshev_mlp",
        data=Chebyshev(degree=degree, n=n),
        model=OneHiddenLayer(width=width, activation=activation),
        criterion=SquaredError(),
        **setting,
    )


def deep_linear(
    n: int = 50,
    dimension: int = 50,
    depth: int = 20,
    data_seed: int = 0,
    **setting: Unpack[Setting],
) -> Problem:
    """A deep linear network fitting a random linear map of whitened inputs."""
    return Problem(
        name="deep_linear",
        data=LinearMap(n=n, dimension=dimension, seed=data_seed),
        model=DeepLinear(depth=depth),
        criterion=SquaredError(),
        **setting,
    )


def _partitioned(setting: Setting, batch_norm: bool) -> Setting:
    """With ghost batches of the paper's size where batch normalisation needs a partition and none is given."""
    if batch_norm and setting.get("ghost_batch") is None:
        return {**setting, "ghost_batch": _GHOST_BATCH}
    return setting
