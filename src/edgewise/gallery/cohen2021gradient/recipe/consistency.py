"""Architectures and tasks of many kinds, each by gradient descent to its edge and beyond."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgewise.data import CIFAR10, Digits
from edgewise.dynamics import Sharpness
from edgewise.gallery.cohen2021gradient.recipe.edge import EVERY
from edgewise.gallery.cohen2021gradient.recipe.network import Enlarged, descent, device, network
from edgewise.methods import GradientDescent
from edgewise.models import CNN, VGG11, Model, ResNet, ViT
from edgewise.problems import Problem, SquaredError, chebyshev_mlp, cifar10_cnn, text_gpt
from edgewise.reproduction import Experiment, Scale

_SONNET = str(Path(__file__).parents[1] / "sonnet18.txt")

Case = tuple[Problem, int, int]
"""A problem, its critical curvature 2/η, and the steps."""


def consistency(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """One run of each kind, for so many steps that the edge has been held for a while."""
    cases = {Scale.SMOKE: _smoke, Scale.LAPTOP: _laptop, Scale.PAPER: _paper}[scale]()
    return {
        name: descent(problem, {"gd": GradientDescent(2 / critical)}, steps, (Sharpness(every=EVERY),))
        for name, (problem, critical, steps) in cases.items()
    }


def _smoke() -> Mapping[str, Case]:
    digits = Digits(n=50)
    return {
        "fully connected, tanh": (network(Scale.SMOKE), 26, 910),
        "fully connected, ReLU": (network(Scale.SMOKE, activation="relu"), 18, 600),
        "convolutional": (_images(digits, CNN(channels=(8, 8), pooling="average")), 8, 1000),
        "VGG-11": (_images(Enlarged(data=Digits(n=10)), VGG11(width=4)), 6, 300),
        "ResNet": (_images(digits, ResNet(blocks=1, width=4, batch_norm=False)), 12, 500),
        "vision transformer": (_images(digits, ViT(patch=2, layers=1, width=16, heads=2)), 45, 700),
        "Chebyshev regression": (chebyshev_mlp(degree=3), 10, 4000),
        "language model": (text_gpt(n=16, context=16, layers=1, width=16, heads=2, path=_SONNET), 8, 500),
    }


def _laptop() -> Mapping[str, Case]:
    few = CIFAR10(n=100)
    return {
        "fully connected, tanh": (network(Scale.LAPTOP), 110, 1500),
        "fully connected, ReLU": (network(Scale.LAPTOP, activation="relu"), 60, 1500),
        "convolutional": (cifar10_cnn(n=100, channels=(8, 8), pooling="average"), 15, 600),
        "VGG-11": (_images(few, VGG11(width=8)), 10, 600),
        "ResNet": (_images(few, ResNet(blocks=1, width=4, batch_norm=False)), 14, 600),
        "vision transformer": (_images(few, ViT(patch=8, layers=1, width=16, heads=2)), 150, 800),
        "Chebyshev regression": (chebyshev_mlp(degree=4), 10, 8000),
        "language model": (text_gpt(n=32, context=32, layers=2, width=32), 8, 800),
    }


def _paper() -> Mapping[str, Case]:
    data = CIFAR10(n=5000)
    cases: dict[str, Case] = {
        "fully connected, tanh": (network(Scale.PAPER), 100, 20_000),
        "fully connected, ReLU": (network(Scale.PAPER, activation="relu"), 100, 20_000),
        "convolutional": (cifar10_cnn(n=5000), 100, 20_000),
        "VGG-11": (_images(data, VGG11()), 100, 10_000),
        "ResNet": (_images(data, ResNet()), 100, 10_000),
        "vision transformer": (_images(data, ViT()), 200, 10_000),
        "Chebyshev regression": (chebyshev_mlp(degree=5), 100, 100_000),
        "language model": (text_gpt(n=1024), 20, 10_000),
    }
    return {
        name: (replace(p, device=device(Scale.PAPER)), critical, steps)
        for name, (p, critical, steps) in cases.items()
    }


def _images(data: CIFAR10 | Digits | Enlarged, model: Model) -> Problem:
    """A classification of images by the squared error, in ghost batches of 1,000 where batches are normalised."""
    ghost = 1000 if getattr(model, "batch_norm", False) else None
    return Problem(name=type(model).__name__, data=data, model=model, criterion=SquaredError(), ghost_batch=ghost)
