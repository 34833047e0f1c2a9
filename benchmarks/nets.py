"""The networks that everything is measured on, as problems of edgewise, and as plain modules for the peers."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from edgewise.data import CIFAR10, Data, SyntheticImages, SyntheticText
from edgewise.foundation import DataError
from edgewise.models import CNN, MLP, Transformer
from edgewise.objectives import Objective
from edgewise.problems import CrossEntropy, Problem, SquaredError, cifar10_mlp, digits_mlp


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """A network on a data set.

    Attributes:
        objective: as edgewise sees it.
        words: what it is.
        data: what it is fitted to.
    """

    objective: Objective
    words: str
    data: str

    @classmethod
    def of(cls, problem: Problem, words: str) -> "Net":
        """The network of a problem."""
        objective = problem.objective()
        data = "CIFAR-10" if isinstance(problem.data, CIFAR10) else "synthetic data"
        return cls(objective=objective, words=f"{words}, {objective.size:,} parameters", data=data)

    def bare(self) -> tuple[nn.Module, Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]:
        """Module, criterion, inputs and targets, without any of edgewise."""
        terms = self.objective.terms
        ((inputs, targets),) = terms.data
        return copy.deepcopy(terms.module).requires_grad_(True), terms.criterion, inputs, targets


def images(n: int) -> Data:
    """The first n images of CIFAR-10 where they are found, else synthetic ones of the same shape."""
    try:
        cifar = CIFAR10(n=n)
        cifar.load()
    except DataError:
        return SyntheticImages(n=n)
    return cifar


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """A problem whose gradient descent is known to reach the edge of stability.

    Attributes:
        name: in a word.
        words: what it is.
        problem: what is descended.
        step_size: η.
    """

    name: str
    words: str
    problem: Problem
    step_size: float


def descents() -> list[Descent]:
    """The network of the paper on CIFAR-10 where that is found, and the small one of the demo on bundled data."""
    digits = Descent(
        name="digits",
        words="digits: 64-64-64-10, tanh, squared error, 1,797 images of 8 × 8, η = 2/20",
        problem=digits_mlp(),
        step_size=2 / 20,
    )
    if not has_cifar():
        return [digits]
    cifar = Descent(
        name="CIFAR-10",
        words="CIFAR-10: 3072-200-200-10, tanh, squared error, the first 1,000 images, η = 2/200",
        problem=cifar10_mlp(n=1000),
        step_size=2 / 200,
    )
    return [cifar, digits]


def has_cifar() -> bool:
    """Whether CIFAR-10 is found here."""
    return isinstance(images(1000), CIFAR10)


def mlp(n: int) -> Net:
    """The fully connected network."""
    problem = Problem(name="mlp", data=images(n), model=MLP(), criterion=SquaredError())
    return Net.of(problem, f"MLP 3072-200-200-10, tanh, squared error, {n:,} images")


def cnn(n: int) -> Net:
    """A small convolutional network."""
    model = CNN(channels=(32, 32), pooling="average", activation="gelu")
    problem = Problem(name="cnn", data=images(n), model=model, criterion=SquaredError())
    return Net.of(
        problem, f"CNN, two convolutions of 32 channels, GELU, average pooling, squared error, {n:,} images"
    )


def gpt(n: int) -> Net:
    """A small decoder-only transformer on tokens of a random chain."""
    data = SyntheticText(n=n, context=64, vocabulary=65)
    model = Transformer(layers=3, width=128, heads=4)
    problem = Problem(name="gpt", data=data, model=model, criterion=CrossEntropy())
    return Net.of(problem, f"GPT, 3 blocks of width 128, cross-entropy, {n} × 64 tokens")
