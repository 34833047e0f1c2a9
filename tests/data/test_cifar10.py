import os
import pickle  # noqa: TID251 - writes the files that the loader is tested on
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgewise.data import CIFAR10
from edgewise.foundation import DataError, SettingError

TRAIN = [f"data_batch_{k}" for k in range(1, 6)]


def literal(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The preprocessing of cohen2021gradient, word for word, in float64."""
    batches = [pickle.loads((folder / name).read_bytes(), encoding="bytes") for name in (*TRAIN, "test_batch")]
    train = np.concatenate([batch[b"data"] for batch in batches[:5]]) / 255
    test = batches[5][b"data"] / 255
    mean = train.mean(0)
    deviation = (train - mean).std(0)
    labels = np.concatenate([batch[b"labels"] for batch in batches[:5]])
    return (train - mean) / deviation, labels, (test - mean) / deviation, np.asarray(batches[5][b"labels"])


def test_preprocessing_is_that_of_the_paper(cifar_folder: Path) -> None:
    train, labels, test, test_labels = literal(cifar_folder / "cifar-10-batches-py")
    data = CIFAR10(folder=str(cifar_folder)).load(torch.float64)
    assert data.inputs.shape == (50, 3, 32, 32)
    torch.testing.assert_close(data.inputs.flatten(1), torch.from_numpy(train), rtol=1e-10, atol=1e-12)
    assert data.targets.dtype == torch.int64
    assert data.targets.tolist() == labels.tolist()
    data = CIFAR10(folder=str(cifar_folder), split="test").load(torch.float64)
    torch.testing.assert_close(data.inputs.flatten(1), torch.from_numpy(test), rtol=1e-10, atol=1e-12)
    assert data.targets.tolist() == test_labels.tolist()


def test_a_prefix_is_a_prefix_of_the_whole_with_the_same_statistics(cifar_folder: Path) -> None:
    whole = CIFAR10(folder=str(cifar_folder)).load()
    part = CIFAR10(n=11, folder=str(cifar_folder)).load()
    assert torch.equal(part.inputs, whole.inputs[:11])
    assert torch.equal(part.targets, whole.targets[:11])
    assert part.checksum == whole.checksum


def test_float32_is_float64_rounded_once(cifar_folder: Path) -> None:
    double = CIFAR10(folder=str(cifar_folder)).load(torch.float64)
    assert torch.equal(CIFAR10(folder=str(cifar_folder)).load().inputs, double.inputs.float())


@pytest.mark.parametrize("classes", [("dog", "cat"), (5, 3), ("dog", 3)])
def test_a_class_subset_is_relabelled_in_the_order_given(cifar_folder: Path, classes: tuple[Any, ...]) -> None:
    whole = CIFAR10(folder=str(cifar_folder)).load()
    data = CIFAR10(classes=classes, n=4, folder=str(cifar_folder)).load()
    rows = ((whole.targets == 5) | (whole.targets == 3)).nonzero().flatten()[:4]
    assert torch.equal(data.inputs, whole.inputs[rows])
    assert torch.equal(data.targets, (whole.targets[rows] == 3).long())
    assert (data.classes, data.class_names, data.outputs) == (2, ("dog", "cat"), 2)


def test_the_source_and_checksum_say_what_was_read(cifar_folder: Path) -> None:
    data = CIFAR10(n=2, folder=str(cifar_folder)).load()
    assert str(cifar_folder) in data.source
    assert "50 training images" in data.source
    path = cifar_folder / "cifar-10-batches-py" / "data_batch_5"
    batch = pickle.loads(path.read_bytes(), encoding="bytes")
    batch[b"data"] = batch[b"data"] ^ np.eye(*batch[b"data"].shape, dtype=np.uint8)
    path.write_bytes(pickle.dumps(batch, protocol=2))
    assert CIFAR10(n=2, folder=str(cifar_folder)).load().checksum != data.checksum


def test_the_folder_may_be_the_inner_one_or_come_from_the_environment(
    cifar_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = CIFAR10(folder=str(cifar_folder)).load()
    inner = CIFAR10(folder=str(cifar_folder / "cifar-10-batches-py")).load()
    monkeypatch.setenv("EDGEWISE_DATA", str(cifar_folder))
    for data in (inner, CIFAR10().load()):
        assert data.checksum == expected.checksum
        assert torch.equal(data.inputs, expected.inputs)


def test_without_the_files_the_error_says_what_to_type() -> None:
    with pytest.raises(
        DataError, match=r"CIFAR-10 in .*no cifar-10-batches-py.*edgewise data cifar10.*EDGEWISE_DATA"
    ):
        CIFAR10().load()


def test_a_missing_batch_is_named(cifar_folder: Path) -> None:
    (cifar_folder / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"data_batch_3: a file of CIFAR-10 cannot be read"):
        CIFAR10(folder=str(cifar_folder)).load()


def test_a_malicious_batch_is_refused_and_nothing_runs(cifar_folder: Path, tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'trace'}",)

    (cifar_folder / "cifar-10-batches-py" / "data_batch_2").write_bytes(pickle.dumps(Malicious(), protocol=2))
    with pytest.raises(DataError, match=r"data_batch_2: it asks for posix.system"):
        CIFAR10(folder=str(cifar_folder)).load()
    assert not (tmp_path / "trace").exists()


def test_a_truncated_batch_is_named(cifar_folder: Path) -> None:
    path = cifar_folder / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"test_batch: it is truncated, corrupt or not a pickle"):
        CIFAR10(folder=str(cifar_folder), split="test").load()


@pytest.mark.parametrize(
    "batch",
    [
        [1, 2],
        {b"labels": [1, 2]},
        {b"data": np.zeros((2, 3072), np.uint8)},
        {b"data": [1, 2], b"labels": [1, 2]},
        {b"data": np.zeros((2, 3071), np.uint8), b"labels": [1, 2]},
        {b"data": np.zeros(6144, np.uint8), b"labels": [1, 2]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 10]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, "2"]},
        {b"data": np.zeros((0, 3072), np.uint8), b"labels": []},
        {b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [1, 2]},
    ],
)
def test_a_batch_of_another_structure_is_named(cifar_folder: Path, batch: Any) -> None:
    (cifar_folder / "cifar-10-batches-py" / "data_batch_4").write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(DataError, match=r"data_batch_4: a batch of CIFAR-10 holds"):
        CIFAR10(folder=str(cifar_folder)).load()


def test_more_images_than_there_are_is_an_error(cifar_folder: Path) -> None:
    with pytest.raises(SettingError, match=r"n=51: there are 50 images\. Type n=50"):
        CIFAR10(n=51, folder=str(cifar_folder)).load()


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(SettingError, match="split='valid'"):
        CIFAR10(split="valid")
