import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgewise.data import MNIST, FashionMNIST, parse_idx
from edgewise.foundation import DataError, SettingError

HERE = Path("some/file")
CODES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


@given(code=st.sampled_from(sorted(CODES)), compressed=st.booleans(), data=st.data())
def test_every_type_comes_back(
    idx_bytes: Callable[..., bytes], code: int, compressed: bool, data: st.DataObject
) -> None:
    array = data.draw(hnp.arrays(CODES[code], hnp.array_shapes(max_dims=4, max_side=4)))
    content = idx_bytes(array, code)
    read = parse_idx(gzip.compress(content) if compressed else content, HERE)
    assert read.dtype.newbyteorder("=") == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "begins with 00 00"),
        (b"\0\0\x08", "begins with 00 00"),
        (b"PK\x03\x04....", "this one with '50 4b 03 04'"),
        (b"\0\0\x07\x01\0\0\0\x01a", "begins with 00 00 and a type"),
        (b"\0\0\x08\x03\0\0\0\x01", "its header is 8 bytes long and should be 16"),
        (b"\0\0\x08\x01\0\0\0\x05abcd", r"an array of shape \(5,\) takes 13 bytes, and there are 12"),
        (b"\0\0\x08\x01\0\0\0\x01ab", r"an array of shape \(1,\) takes 9 bytes, and there are 10"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x01a", mtime=0)[:-9], "gzip stream is truncated or corrupt"),
        (b"\x1f\x8b\0\0", "gzip stream is truncated or corrupt"),
    ],
)
def test_a_corrupt_file_is_named_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(DataError, match=f"some/file: .*{why}.*download"):
        parse_idx(content, HERE)


@pytest.mark.parametrize("noun", [MNIST, FashionMNIST])
@pytest.mark.parametrize("layout", ["own", "torchvision", "."])
@pytest.mark.parametrize("compressed", [True, False])
def test_the_images_are_found_and_standardised(
    noun: Any, layout: str, compressed: bool, tmp_path: Path, write_mnist: Callable[[Path, bool], None]
) -> None:
    names = {MNIST: ("mnist", "MNIST/raw"), FashionMNIST: ("fashion-mnist", "FashionMNIST/raw")}[noun]
    inner = {"own": names[0], "torchvision": names[1], ".": "here"}[layout]
    write_mnist(tmp_path / inner, compressed)
    folder = str(tmp_path / inner if layout == "." else tmp_path)
    train = noun(folder=folder).load(torch.float64)
    assert train.inputs.shape == (20, 1, 4, 5)
    assert abs(float(train.inputs.mean())) < 1e-12
    assert float(train.inputs.std(correction=0)) == pytest.approx(1.0, rel=1e-12)
    assert train.targets.tolist() == [*range(10)] * 2
    assert train.name == names[0]
    test = noun(folder=folder, split="test", classes=(3, 4), n=3).load(torch.float64)
    assert test.targets.tolist() == [0, 1, 0]
    assert test.checksum != train.checksum
    assert "20 training images" in test.source


def test_test_images_use_the_statistics_of_the_training_images(
    tmp_path: Path, write_mnist: Callable[[Path, bool], None]
) -> None:
    write_mnist(tmp_path / "mnist", False)
    folder = tmp_path / "mnist"
    train, test = (parse_idx((folder / f"{p}-images-idx3-ubyte").read_bytes(), folder) for p in ("train", "t10k"))
    data = MNIST(folder=str(tmp_path), split="test").load(torch.float64)
    np.testing.assert_allclose(data.inputs[:, 0].numpy(), (test - train.mean()) / train.std(), rtol=1e-12)


def test_missing_files_say_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"MNIST in .*there is no mnist/train-images.*edgewise data mnist"):
        MNIST().load()
    with pytest.raises(DataError, match=r"edgewise data fashion-mnist"):
        FashionMNIST(folder=str(tmp_path)).load()


def test_labels_that_do_not_fit_are_named(
    tmp_path: Path, write_mnist: Callable[[Path, bool], None], idx_bytes: Callable[..., bytes]
) -> None:
    write_mnist(tmp_path / "mnist", False)
    labels = tmp_path / "mnist" / "train-labels-idx1-ubyte"
    for wrong in (np.zeros(19, np.uint8), np.full(20, 10, np.uint8), np.zeros(20, np.int32)):
        labels.write_bytes(idx_bytes(wrong, 0x0C if wrong.dtype == np.int32 else 0x08))
        with pytest.raises(DataError, match="train-labels-idx1-ubyte: it should hold 20 labels from 0 to 9"):
            MNIST(folder=str(tmp_path)).load()


def test_images_that_are_none_are_named(
    tmp_path: Path, write_mnist: Callable[[Path, bool], None], idx_bytes: Callable[..., bytes]
) -> None:
    write_mnist(tmp_path / "mnist", False)
    images = tmp_path / "mnist" / "train-images-idx3-ubyte"
    images.write_bytes(idx_bytes(np.zeros(20, np.uint8)))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: images are bytes on three axes"):
        MNIST(folder=str(tmp_path)).load()


@pytest.mark.parametrize("noun", [MNIST, FashionMNIST])
def test_impossible_settings_are_refused_at_once(noun: Any) -> None:
    with pytest.raises(SettingError, match="n=0"):
        noun(n=0)
