"""From raw pixels to standardised inputs: what all sources of labelled images share.

The order is that of cohen2021gradient: scale to [0, 1]; subtract the mean and divide by the standard
deviation *of the whole training set*; only then keep a subset. So a prefix of 1,000 images is the same
1,000 inputs, whatever else is loaded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import SettingError

# Rows converted at a time: bounds the memory of the float64 intermediate.
_BLOCK = 1024


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawImages:
    """Pixels as they were stored.

    Attributes:
        pixels: (images, channels, height, width).
        labels: one class index per image.
        white: the pixel value that means 1.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    white: int


def check_choices(
    n: int | None, classes: Sequence[str | int] | None, standardize: str | None, split: str = "train"
) -> None:
    """Refuse what no labelled images could answer.

    Raises:
        SettingError: if n or classes ask for nothing, or a word is unknown.
    """
    Subset(n, classes)
    if standardize not in ("pixel", "channel", None):
        raise SettingError(
            f"standardize={standardize!r}",
            "images are standardised per pixel or per channel",
            "Type standardize='pixel', 'channel' or None",
        )
    if split not in ("train", "test"):
        raise SettingError(
            f"split={split!r}", "there are training and test images", "Type split='train' or 'test'"
        )


@final
@dataclass(frozen=True, slots=True)
class Subset:
    """Which images to keep: first those of the given classes, then the first n of them.

    Args:
        n: how many; None keeps all.
        classes: names or indices; None keeps all. Labels become positions in this tuple.

    Raises:
        SettingError: if n is not positive, or a class is named twice or alone.
    """

    n: int | None = None
    classes: Sequence[str | int] | None = None

    def __post_init__(self) -> None:
        if self.n is not None and self.n < 1:
            raise SettingError(
                f"n={self.n}", "a data set has at least one sample", "Type n=1000, or n=None for all"
            )
        if self.classes is not None and len(set(self.classes)) < 2:
            raise SettingError(
                f"classes={self.classes!r}",
                "a classification needs at least two different classes",
                "Type classes=(0, 1), or classes=None for all",
            )

    def of(
        self, labels: NDArray[np.int64], names: tuple[str, ...]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64], tuple[str, ...]]:
        """The kept rows, their labels, and the names of the kept classes.

        Raises:
            SettingError: if a class is unknown or named twice, or there are fewer than n images.
        """
        rows = np.arange(len(labels), dtype=np.intp)
        if self.classes is not None:
            chosen = [_class_index(name, names) for name in self.classes]
            if len(set(chosen)) < len(chosen):
                raise SettingError(
                    f"classes={self.classes!r}",
                    "a class is named twice",
                    f"Choose each once from {_listed(names)}",
                )
            position = np.full(len(names), -1, dtype=np.int64)
            position[chosen] = np.arange(len(chosen))
            labels = position[labels]
            rows = np.flatnonzero(labels >= 0)
            names = tuple(names[index] for index in chosen)
        if self.n is not None and self.n > len(rows):
            of_classes = "" if self.classes is None else f" of the classes {_listed(names)}"
            raise SettingError(
                f"n={self.n}",
                f"there are {len(rows)} images{of_classes}",
                f"Type n={len(rows)}, or n=None for all",
            )
        rows = rows[: self.n]
        return rows, labels[rows], names


def standardized(
    raw: RawImages,
    rows: NDArray[np.intp],
    *,
    train: RawImages,
    how: str | None,
    dtype: torch.dtype,
) -> Tensor:
    """(x − μ)/σ for the given rows, with μ and σ over all of `train`.

    x are pixels scaled to [0, 1], σ the population standard deviation. Pixels that never change are only
    centred.

    Args:
        raw: where the rows are taken from.
        rows: which images.
        train: whose statistics are used.
        how: statistics per pixel or per channel; None only scales.
        dtype: of the result; the arithmetic is done in float64.

    """
    shift, scale = (0.0, float(raw.white)) if how is None else _statistics(train.pixels, how)
    inputs = torch.empty((len(rows), *raw.pixels.shape[1:]), dtype=dtype)
    for start in range(0, len(rows), _BLOCK):
        block = raw.pixels[rows[start : start + _BLOCK]].astype(np.float64)
        inputs[start : start + _BLOCK] = torch.from_numpy((block - shift) / scale)
    return inputs


def _statistics(pixels: NDArray[np.uint8], how: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Sums of integers are exact, so the statistics do not depend on the size of a block.
    total = np.zeros(pixels.shape[1:], dtype=np.int64)
    squares = np.zeros(pixels.shape[1:], dtype=np.int64)
    for block in _blocks(pixels):
        wide = block.astype(np.int64)
        total += wide.sum(axis=0)
        squares += (wide * wide).sum(axis=0)
    mean, second = total / len(pixels), squares / len(pixels)
    if how == "channel":
        mean, second = mean.mean((1, 2), keepdims=True), second.mean((1, 2), keepdims=True)
    deviation = np.sqrt(np.maximum(second - mean**2, 0.0))
    return mean, np.where(deviation > 0, deviation, 1.0)


def _blocks(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(pixels), _BLOCK):
        yield pixels[start : start + _BLOCK]


def _class_index(name: str | int, names: tuple[str, ...]) -> int:
    if isinstance(name, int) and 0 <= name < len(names):
        return name
    if isinstance(name, str) and name in names:
        return names.index(name)
    raise SettingError(
        f"the class {name!r}",
        "there is no such class here",
        f"Choose from {_listed(names)}, or 0 to {len(names) - 1}",
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
