"""Small files in the formats of the real data sets."""

import gzip
import pickle  # noqa: TID251 - writes the files that the restricted reader is tested on
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BATCHES = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Neither the user's data nor the user's cache, unless a test says so."""
    monkeypatch.delenv("EDGEWISE_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    yield


def cifar_batch(rows: int, seed: int) -> dict[bytes, Any]:
    """The contents of one file of CIFAR-10."""
    draw = np.random.default_rng(seed)
    return {
        b"batch_label": b"a batch",
        b"labels": [int(label) for label in draw.integers(0, 10, rows)],
        b"data": draw.integers(0, 256, (rows, 3072), dtype=np.uint8),
        b"filenames": [b"a.png"] * rows,
    }


@pytest.fixture
def cifar_folder(tmp_path: Path) -> Path:
    """A data folder with a CIFAR-10 of 8, 9, …, 12 training images and 13 test images."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for index, name in enumerate(BATCHES):
        (folder / name).write_bytes(pickle.dumps(cifar_batch(8 + index, index), protocol=2))
    return folder.parent


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[..., bytes]:
    """Writes an array as an IDX file."""
    return _idx_bytes


def _idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def write_mnist() -> Callable[[Path, bool], None]:
    """Writes a MNIST of 20 training and 15 test images of 4 × 5 into a folder."""

    def write(folder: Path, compressed: bool) -> None:
        folder.mkdir(parents=True)
        draw = np.random.default_rng(0)
        for part, n in (("train", 20), ("t10k", 15)):
            images = draw.integers(0, 256, (n, 4, 5), dtype=np.uint8)
            for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(n, dtype=np.uint8) % 10)):
                content = _idx_bytes(array)
                path = folder / f"{part}-{kind}-ubyte{'.gz' if compressed else ''}"
                path.write_bytes(gzip.compress(content) if compressed else content)

    return write
