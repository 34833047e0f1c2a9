"""The loaders on the real files, where `EDGEWISE_DATA` says they are."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from edgewise.data import CIFAR10, REMOTES, CharacterText

FOLDER = os.environ.get("EDGEWISE_DATA")
needs_data = pytest.mark.skipif(FOLDER is None, reason="EDGEWISE_DATA is not set: no real data on this machine")


@needs_data
def test_real_cifar10() -> None:
    assert FOLDER is not None
    data = CIFAR10(folder=FOLDER).load(torch.float64)
    assert data.inputs.shape[1:] == (3, 32, 32)
    torch.testing.assert_close(
        data.inputs.mean(0), torch.zeros(3, 32, 32, dtype=torch.float64), rtol=0, atol=1e-10
    )
    torch.testing.assert_close(
        data.inputs.std(0, correction=0), torch.ones(3, 32, 32, dtype=torch.float64), rtol=1e-10, atol=0
    )
    # The first images of the official data_batch_1: a frog, two trucks, a deer, two automobiles.
    assert [data.class_names[label] for label in data.targets[:6]] == [
        "frog", "truck", "truck", "deer", "automobile", "automobile",
    ]  # fmt: skip
    assert torch.equal(CIFAR10(n=100, folder=FOLDER).load(torch.float64).inputs, data.inputs[:100])


@needs_data
def test_real_shakespeare() -> None:
    assert FOLDER is not None
    path = Path(FOLDER) / "tinyshakespeare" / "input.txt"
    data = CharacterText(path=str(path), context=64).load()
    assert data.classes == 65
    assert "".join(data.class_names[token] for token in data.inputs[0, :14]) == "First Citizen:"
    assert REMOTES["tinyshakespeare"][0].checksum == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
