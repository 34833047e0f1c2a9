"""Model + data + criterion → objective; the named ones."""

from edgewise.problems.criteria import Criterion, CrossEntropy, SquaredError
from edgewise.problems.problem import Problem
from edgewise.problems.recipes import (
    Setting,
    chebyshev_mlp,
    cifar10_cnn,
    cifar10_mlp,
    cifar10_resnet,
    cifar10_vgg,
    cifar10_vit,
    deep_linear,
    digits_cnn,
    digits_mlp,
    fashion_mnist_mlp,
    mnist_mlp,
    text_gpt,
)
from edgewise.problems.registry import NAMES, named, options_of

__all__ = [
    "NAMES",
    "Criterion",
    "CrossEntropy",
    "Problem",
    "Setting",
    "SquaredError",
    "chebyshev_mlp",
    "cifar10_cnn",
    "cifar10_mlp",
    "cifar10_resnet",
    "cifar10_vgg",
    "cifar10_vit",
    "deep_linear",
    "digits_cnn",
    "digits_mlp",
    "fashion_mnist_mlp",
    "mnist_mlp",
    "named",
    "options_of",
    "text_gpt",
]
