"""IDX files: MNIST, Fashion-MNIST and their kin.

The format is a header and raw numbers, all big-endian: two zero bytes, one byte for the type, one for the
number of axes, a 32-bit length for each axis, then the entries with the last axis running fastest.
"""

import gzip
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from edgewise.data.cache import find, read_bytes
from edgewise.data.images import RawImages, Subset, check_choices, standardized
from edgewise.data.source import Data, LoadedData, checksum_of
from edgewise.foundation import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GARMENTS = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def parse_idx(content: bytes, path: Path) -> NDArray[Any]:
    """The array in the bytes of an IDX file, compressed with gzip or not.

    Args:
        content: the bytes of the file.
        path: the file, for the error.

    Raises:
        DataError: if the bytes are no IDX file, or fewer or more than the header says.
    """
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise _corrupt(path, f"its gzip stream is truncated or corrupt ({error})") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise _corrupt(path, f"an IDX file begins with 00 00 and a type, this one with {content[:4].hex(' ')!r}")
    dtype, axes = np.dtype(_TYPES[content[2]]), content[3]
    header = 4 + 4 * axes
    if len(content) < header:
        raise _corrupt(path, f"its header is {len(content)} bytes long and should be {header}")
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", axes, offset=4))
    expected = header + prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise _corrupt(path, f"an array of shape {shape} takes {expected} bytes, and there are {len(content)}")
    return np.frombuffer(content, dtype, offset=header).reshape(shape)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MNIST(Data):
    """MNIST: 28 × 28 grey images of handwritten digits.

    Args:
        n: keep the first n images (of the given classes).
        classes: keep these digits only, relabelled 0, 1, … in this order.
        standardize: per channel by default, which is one mean and one deviation for all pixels; per pixel,
            the pixels at the border, lit in a handful of images, would dominate.
        split: "train" or "test" images; both are prepared with the statistics of the training images.
        folder: the folder that holds `mnist` (or `MNIST/raw`), or that folder itself; None looks in
            `EDGEWISE_DATA` and in the cache.

    Raises:
        SettingError: if n or classes ask for nothing, or a word is unknown.

    References:
        lecun1998gradient
    """

    n: int | None = None
    classes: tuple[str | int, ...] | None = None
    standardize: str | None = "channel"
    split: str = "train"
    folder: str | None = None

    def __post_init__(self) -> None:
        check_choices(self.n, self.classes, self.standardize, self.split)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """The images as (n, 1, 28, 28)."""
        return _load("mnist", "MNIST", tuple("0123456789"), self, dtype)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FashionMNIST(Data):
    """Fashion-MNIST: 28 × 28 grey images of ten kinds of garments, in the format of MNIST.

    Args:
        n: keep the first n images (of the given classes).
        classes: keep these classes only, by name or index, relabelled 0, 1, … in this order.
        standardize: per channel (one mean and one deviation for all pixels), per pixel, or None.
        split: "train" or "test" images; both are prepared with the statistics of the training images.
        folder: the folder that holds `fashion-mnist` (or `FashionMNIST/raw`), or that folder itself; None
            looks in `EDGEWISE_DATA` and in the cache.

    Raises:
        SettingError: if n or classes ask for nothing, or a word is unknown.

    References:
        xiao2017fashion
    """

    n: int | None = None
    classes: tuple[str | int, ...] | None = None
    standardize: str | None = "channel"
    split: str = "train"
    folder: str | None = None

    def __post_init__(self) -> None:
        check_choices(self.n, self.classes, self.standardize, self.split)

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """The images as (n, 1, 28, 28)."""
        return _load("fashion-mnist", "FashionMNIST", _GARMENTS, self, dtype)


def _load(
    name: str, other_name: str, class_names: tuple[str, ...], noun: MNIST | FashionMNIST, dtype: torch.dtype
) -> LoadedData:
    folders = [name, f"{other_name}/raw", "."] if noun.folder is not None else [name, f"{other_name}/raw"]
    parts = ("train",) if noun.split == "train" else ("train", "t10k")
    kinds = [f"{part}-{kind}-ubyte" for part in parts for kind in ("images-idx3", "labels-idx1")]
    paths = [_find_file(other_name, name, folders, kind, noun.folder) for kind in kinds]
    contents = [read_bytes(path, f"a file of {other_name}") for path in paths]
    files = [(parse_idx(content, path), path) for content, path in zip(contents, paths, strict=True)]
    sets = [_raw(*files[k], *files[k + 1], len(class_names)) for k in range(0, len(files), 2)]
    train, raw = sets[0], sets[-1]
    rows, labels, class_names = Subset(noun.n, noun.classes).of(raw.labels, class_names)
    return LoadedData(
        name=name,
        inputs=standardized(raw, rows, train=train, how=noun.standardize, dtype=dtype),
        targets=torch.from_numpy(labels),
        classes=len(class_names),
        class_names=class_names,
        source=f"{other_name} from {paths[0].parent.resolve()} ({len(raw.labels):,} {noun.split} images; "
        f"statistics of {len(train.labels):,} training images)",
        checksum=checksum_of(contents),
    )


def _find_file(what: str, dataset: str, folders: list[str], kind: str, folder: str | None) -> Path:
    names = [f"{place}/{kind}{suffix}" for place in folders for suffix in (".gz", "")]
    return find(what, names, folder, dataset=dataset)


def _raw(
    pixels: NDArray[Any], pixels_path: Path, labels: NDArray[Any], labels_path: Path, classes: int
) -> RawImages:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.size == 0:
        raise _corrupt(pixels_path, f"images are bytes on three axes, this is {pixels.dtype} of {pixels.shape}")
    if labels.dtype != np.uint8 or labels.shape != pixels.shape[:1] or labels.max() >= classes:
        raise _corrupt(
            labels_path, f"it should hold {len(pixels)} labels from 0 to {classes - 1}, one byte for each image"
        )
    return RawImages(pixels=pixels[:, None], labels=labels.astype(np.int64), white=255)


def _corrupt(path: Path, why: str) -> DataError:
    return DataError(f"{path}", why, "Delete it and download the data set again, with edgewise data")
