import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from edgewise.data import Digits
from edgewise.foundation import SettingError, decode, encode


def test_the_digits_are_the_bundled_ones_standardised() -> None:
    bundle = load_digits()
    data = Digits().load(torch.float64)
    assert (data.name, data.classes, data.outputs, len(data)) == ("digits", 10, 10, 1797)
    assert data.input_shape == (1, 8, 8)
    expected = (bundle.images - bundle.images.mean()) / bundle.images.std()
    np.testing.assert_allclose(data.inputs[:, 0].numpy(), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(data.targets.numpy(), bundle.target)
    assert data.targets.dtype == torch.int64


def test_the_checksum_is_that_of_the_bundled_bytes() -> None:
    bundle = load_digits()
    content = bundle.data.astype(np.uint8).tobytes() + bundle.target.astype(np.uint8).tobytes()
    assert Digits(n=5).load().checksum == hashlib.sha256(content).hexdigest()


def test_subsets_keep_the_statistics_of_all_images() -> None:
    whole, part = Digits().load(), Digits(n=20, classes=(8, 3)).load()
    rows = ((whole.targets == 8) | (whole.targets == 3)).nonzero().flatten()[:20]
    assert torch.equal(part.inputs, whole.inputs[rows])
    assert torch.equal(part.targets, (whole.targets[rows] == 3).long())
    assert part.class_names == ("8", "3")


def test_too_many_digits_are_refused() -> None:
    with pytest.raises(SettingError, match="n=1798: there are 1797 images"):
        Digits(n=1798).load()


def test_the_recipe_can_be_written_down() -> None:
    noun = Digits(n=10, classes=(3, "8"), standardize="pixel")
    assert decode(encode(noun)) == noun


def test_importing_the_room_loads_neither_scikit_learn_nor_pooch() -> None:
    line = "import sys, edgewise.data; assert not {'sklearn', 'pooch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", line], check=True)
