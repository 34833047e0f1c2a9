"""Data that are made, not read: the toys of the papers, and shapes to try things on without a network.

Nothing here is ever used in the place of real data: whoever asks for CIFAR-10 gets CIFAR-10 or an error.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from edgewise.data.source import Data, LoadedData, checksum_of
from edgewise.foundation import SettingError, generator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Chebyshev(Data):
    """The Chebyshev polynomial T_k at n evenly spaced points of [−1, 1].

        T_0 = 1,  T_1 = x,  T_{k+1} = 2x T_k − T_{k−1};  on [−1, 1]: T_k(cos t) = cos kt

    Args:
        degree: k, which sets how hard the function is to fit.
        n: how many points, both ends included.

    Raises:
        SettingError: if the degree is negative or there are fewer than two points.

    Example:
        >>> Chebyshev(degree=2, n=3).load().targets.flatten().tolist()
        [1.0, -1.0, 1.0]

    References:
        cohen2021gradient
    """

    degree: int = 3
    n: int = 20

    def __post_init__(self) -> None:
        _at_least(0, degree=self.degree)
        _at_least(2, n=self.n)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """x and T_k(x), both (n, 1)."""
        x = np.linspace(-1.0, 1.0, self.n)
        y = np.polynomial.chebyshev.chebval(x, [0.0] * self.degree + [1.0])
        source = f"Chebyshev polynomial of degree {self.degree} at {self.n} points, computed"
        return _made("chebyshev", source, torch.from_numpy(x)[:, None], torch.from_numpy(y)[:, None], dtype)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMap(Data):
    """Whitened inputs and their image under a random linear map: the data of the deep linear networks.

        X ∈ ℝ^{n×d} with XᵀX = nI,   Y = X Aᵀ,   A ∈ ℝ^{d×d} with independent N(0, 1) entries

    Args:
        n: samples, at least as many as dimensions.
        dimension: d, of inputs and targets.
        seed: of X and A.

    Raises:
        SettingError: if n < d, or d < 1, or the seed is negative.

    References:
        cohen2021gradient
    """

    n: int = 50
    dimension: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least(1, dimension=self.dimension)
        _at_least(0, seed=self.seed)
        if self.n < self.dimension:
            raise SettingError(
                f"n={self.n} and dimension={self.dimension}",
                "XᵀX = nI needs at least as many samples as dimensions",
                f"Type n={self.dimension}",
            )

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """X and Y, both (n, d)."""
        draw = generator(self.seed, "LinearMap")
        x = torch.linalg.qr(torch.randn(self.n, self.dimension, generator=draw, dtype=torch.float64)).Q
        x = x * self.n**0.5
        a = torch.randn(self.dimension, self.dimension, generator=draw, dtype=torch.float64)
        source = (
            f"a random linear map of {self.n} whitened points in {self.dimension} dimensions, seed {self.seed}"
        )
        return _made("linear map", source, x, x @ a.T, dtype)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticImages(Data):
    """Noise around one random image per class: shaped like CIFAR-10, and not real data.

        x_i = (μ_{y_i} + ε_i)/√2,   μ, ε with independent N(0, 1) entries,   y_i = i mod classes

    Args:
        n: how many images.
        classes: how many classes.
        shape: (channels, height, width).
        seed: of the class images and the noise.

    Raises:
        SettingError: if a number is too small.
    """

    n: int = 256
    classes: int = 10
    shape: tuple[int, int, int] = (3, 32, 32)
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least(1, n=self.n, channels=self.shape[0], height=self.shape[1], width=self.shape[2])
        _at_least(2, classes=self.classes)
        _at_least(0, seed=self.seed)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """The images as (n, channels, height, width)."""
        draw = generator(self.seed, "SyntheticImages")
        centres = torch.randn(self.classes, *self.shape, generator=draw, dtype=torch.float64)
        labels = torch.arange(self.n) % self.classes
        noise = torch.randn(self.n, *self.shape, generator=draw, dtype=torch.float64)
        inputs = (centres[labels] + noise) / 2**0.5
        source = f"synthetic images made with seed {self.seed}; not real data"
        return _made("synthetic images", source, inputs, labels, dtype, self.classes)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticText(Data):
    """Tokens of a random Markov chain: shaped like a text, and not real data.

    From each token, the next is drawn with probabilities softmax(2z), z with independent N(0, 1) entries:
    predictable in part, like a language.

    Args:
        n: how many samples; each is a chain of its own.
        context: tokens per sample.
        vocabulary: how many different tokens.
        seed: of the chain and the samples.

    Raises:
        SettingError: if a number is too small.
    """

    n: int = 64
    context: int = 32
    vocabulary: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least(1, n=self.n, context=self.context)
        _at_least(2, vocabulary=self.vocabulary)
        _at_least(0, seed=self.seed)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """Tokens and next tokens, both (n, context), int64; `dtype` has nothing to act on."""
        draw = generator(self.seed, "SyntheticText")
        table = torch.randn(self.vocabulary, self.vocabulary, generator=draw, dtype=torch.float64)
        transition = torch.softmax(2.0 * table, dim=1)
        tokens = [torch.randint(self.vocabulary, (self.n,), generator=draw)]
        for _ in range(self.context):
            tokens.append(torch.multinomial(transition[tokens[-1]], 1, generator=draw)[:, 0])
        chain = torch.stack(tokens, dim=1)
        source = f"tokens of a random Markov chain made with seed {self.seed}; not real data"
        return _made("synthetic text", source, chain[:, :-1], chain[:, 1:], dtype, self.vocabulary)


def _made(
    name: str, source: str, inputs: Tensor, targets: Tensor, dtype: torch.dtype, classes: int | None = None
) -> LoadedData:
    tensors = [tensor.contiguous() for tensor in (inputs, targets)]
    checksum = checksum_of(tensor.numpy().tobytes() for tensor in tensors)
    inputs, targets = (t.to(dtype) if t.is_floating_point() else t for t in tensors)
    return LoadedData(name=name, inputs=inputs, targets=targets, classes=classes, source=source, checksum=checksum)


def _at_least(least: int, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < least:
            raise SettingError(f"{name}={number}", f"it is at least {least}", f"Type {name}={least} or more")
