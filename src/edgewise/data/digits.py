"""Handwritten digits: 1,797 real 8 × 8 images that come with scikit-learn, so nothing is downloaded."""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from edgewise.data.images import RawImages, Subset, check_choices, standardized
from edgewise.data.source import Data, LoadedData, checksum_of


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Digits(Data):
    """The test part of the UCI "optical recognition of handwritten digits", as bundled with scikit-learn.

    Args:
        n: keep the first n images (of the given classes).
        classes: keep these digits only, relabelled 0, 1, … in this order.
        standardize: per channel by default, which for grey images is one mean and one deviation for all
            pixels. Per pixel, a corner that is lit once in 1,797 images would become an input of 40.

    Raises:
        SettingError: if n or classes ask for nothing, or a word is unknown.

    Example:
        >>> Digits(classes=(3, 8)).load().classes
        2
    """

    n: int | None = None
    classes: tuple[str | int, ...] | None = None
    standardize: str | None = "channel"

    def __post_init__(self) -> None:
        check_choices(self.n, self.classes, self.standardize)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """The images as (n, 1, 8, 8)."""
        from sklearn.datasets import load_digits  # costs a second, so not at import

        bundle = load_digits()
        # Stored as floats, though they are counts from 0 to 16.
        pixels = bundle.images.astype(np.uint8)[:, None]
        raw = RawImages(pixels=pixels, labels=bundle.target.astype(np.int64), white=16)
        rows, labels, names = Subset(self.n, self.classes).of(raw.labels, tuple("0123456789"))
        return LoadedData(
            name="digits",
            inputs=standardized(raw, rows, train=raw, how=self.standardize, dtype=dtype),
            targets=torch.from_numpy(labels),
            classes=len(names),
            class_names=names,
            source="scikit-learn's bundled digits (1,797 images of 8 × 8)",
            checksum=checksum_of((pixels.tobytes(), raw.labels.astype(np.uint8).tobytes())),
        )
