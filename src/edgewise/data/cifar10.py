"""CIFAR-10 in its official Python format: 32 × 32 colour images in ten classes."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.data.cache import find, read_bytes
from edgewise.data.images import RawImages, Subset, check_choices, standardized
from edgewise.data.restricted_pickle import ByteArray, read_pickle
from edgewise.data.source import Data, LoadedData, checksum_of
from edgewise.foundation import DataError

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The ten classes, in the order of their labels."""

_FOLDER = "cifar-10-batches-py"
_TRAIN = tuple(f"data_batch_{k}" for k in range(1, 6))
_TEST = ("test_batch",)
_SHAPE = (3, 32, 32)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CIFAR10(Data):
    """CIFAR-10, prepared as in the edge-of-stability experiments.

    Pixels are divided by 255; the per-pixel mean over *all* training images present is subtracted and the
    per-pixel standard deviation divided out; then the first n images are kept ("cifar10-5k" is n=5000). The
    files may hold any number of images: the statistics are those of what is there, and the source says
    how many that were.

    Args:
        n: keep the first n images (of the given classes).
        classes: keep these classes only, by name or index, relabelled 0, 1, … in this order.
        standardize: "pixel" as in the paper, "channel", or None for pixels in [0, 1].
        split: "train" or "test" images; the test images are prepared with the statistics of the training images.
        folder: the folder that holds `cifar-10-batches-py`, or that folder itself; None looks in
            `EDGEWISE_DATA` and in the cache.

    Raises:
        SettingError: if n or classes ask for nothing, or a word is unknown.

    References:
        krizhevsky2009learning, cohen2021gradient
    """

    n: int | None = None
    classes: tuple[str | int, ...] | None = None
    standardize: str | None = "pixel"
    split: str = "train"
    folder: str | None = None

    def __post_init__(self) -> None:
        check_choices(self.n, self.classes, self.standardize, self.split)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """The images as (n, 3, 32, 32)."""
        folder = self._find()
        names = _TRAIN if self.split == "train" else (*_TRAIN, *_TEST)
        contents = {name: read_bytes(folder / name, "a file of CIFAR-10") for name in names}
        batches = {name: _batch(content, folder / name) for name, content in contents.items()}
        train = _joined([batches[name] for name in _TRAIN])
        raw = train if self.split == "train" else batches["test_batch"]
        rows, labels, class_names = Subset(self.n, self.classes).of(raw.labels, CLASS_NAMES)
        return LoadedData(
            name="cifar10",
            inputs=standardized(raw, rows, train=train, how=self.standardize, dtype=dtype),
            targets=torch.from_numpy(labels),
            classes=len(class_names),
            class_names=class_names,
            source=f"CIFAR-10 from {folder.resolve()} ({len(raw.labels):,} {self.split} images; "
            f"statistics of {len(train.labels):,} training images)",
            checksum=checksum_of(contents.values()),
        )

    def _find(self) -> Path:
        if self.folder is not None and (Path(self.folder).expanduser() / _TRAIN[0]).exists():
            return Path(self.folder).expanduser()
        return find("CIFAR-10", [_FOLDER], self.folder, dataset="cifar10")


def _batch(content: bytes, path: Path) -> RawImages:
    """One file: {b"data": (rows, 3072) bytes, b"labels": list of rows integers, …}."""
    batch = read_pickle(content, path)
    pixels, labels = (batch.get(b"data"), batch.get(b"labels")) if isinstance(batch, dict) else (None, None)
    rows = pixels.array if isinstance(pixels, ByteArray) else None
    if rows is None or rows.ndim != 2 or rows.shape[1] != prod(_SHAPE) or not _are_labels(labels, len(rows)):
        raise DataError(
            f"{path}",
            "a batch of CIFAR-10 holds `data`, rows of 3,072 bytes, and `labels` from 0 to 9 for each row",
            "Delete it and download the data set again, with edgewise data cifar10",
        )
    return RawImages(pixels=rows.reshape(-1, *_SHAPE), labels=np.asarray(labels, dtype=np.int64), white=255)


def _are_labels(value: Any, rows: int) -> bool:
    is_list = isinstance(value, list) and len(value) == rows > 0
    return is_list and all(type(label) is int and 0 <= label < 10 for label in value)


def _joined(batches: list[RawImages]) -> RawImages:
    pixels: NDArray[np.uint8] = np.concatenate([batch.pixels for batch in batches])
    return RawImages(pixels=pixels, labels=np.concatenate([batch.labels for batch in batches]), white=255)
