from dataclasses import replace
from typing import Any

import pytest
import torch

from edgewise.data import Chebyshev, Data, LinearMap, SyntheticImages, SyntheticText
from edgewise.foundation import SettingError, decode, encode

ALL = [
    Chebyshev(degree=5),
    LinearMap(n=12, dimension=5, seed=3),
    SyntheticImages(n=30, classes=3, shape=(2, 4, 4)),
    SyntheticText(n=9, context=7, vocabulary=5),
]


@pytest.mark.parametrize("degree", range(7))
def test_chebyshev_targets_satisfy_the_recurrence_and_the_cosine_form(degree: int) -> None:
    data = Chebyshev(degree=degree, n=20).load(torch.float64)
    assert data.inputs.shape == data.targets.shape == (20, 1)
    torch.testing.assert_close(data.inputs[:, 0], torch.linspace(-1, 1, 20, dtype=torch.float64))
    torch.testing.assert_close(data.targets, torch.cos(degree * torch.arccos(data.inputs)), rtol=0, atol=1e-13)
    two_below, below, here = (Chebyshev(degree=degree + k).load(torch.float64).targets for k in range(3))
    torch.testing.assert_close(here, 2 * data.inputs * below - two_below, rtol=0, atol=1e-13)


def test_linear_map_inputs_are_whitened_and_targets_linear() -> None:
    data = LinearMap(n=60, dimension=50, seed=1).load(torch.float64)
    x, y = data.inputs, data.targets
    torch.testing.assert_close(x.T @ x, 60 * torch.eye(50, dtype=torch.float64), rtol=0, atol=1e-11)
    a = (x.T @ y / 60).T
    torch.testing.assert_close(x @ a.T, y, rtol=0, atol=1e-11)
    # 2,500 independent N(0, 1) entries: four standard errors of mean and variance.
    assert abs(float(a.mean())) < 4 / 50
    assert abs(float(a.var()) - 1) < 4 * (2 / 2500) ** 0.5


def test_synthetic_images_have_unit_variance_and_their_class_shows() -> None:
    data = SyntheticImages(n=600, classes=3, shape=(3, 8, 8)).load(torch.float64)
    assert data.inputs.shape == (600, 3, 8, 8)
    assert torch.equal(data.targets, torch.arange(600) % 3)
    assert float(data.inputs.var()) == pytest.approx(1.0, abs=0.15)
    centres = torch.stack([data.inputs[k::3].mean(0) for k in range(3)]).flatten(1)
    nearest = torch.cdist(data.inputs.flatten(1), centres).argmin(1)
    assert torch.equal(nearest, data.targets)


def test_synthetic_text_is_a_chain_whose_next_token_is_the_target() -> None:
    data = SyntheticText(n=200, context=50, vocabulary=6).load()
    assert data.inputs.shape == data.targets.shape == (200, 50)
    assert torch.equal(data.inputs[:, 1:], data.targets[:, :-1])
    assert (int(data.inputs.min()), int(data.inputs.max())) == (0, 5)
    counts = torch.zeros(6, 6).index_put_((data.inputs, data.targets), torch.ones(()), accumulate=True)
    transition = counts / counts.sum(1, keepdim=True)
    entropy = -(transition * transition.clamp(min=1e-9).log()).sum(1)
    assert float(entropy.max()) < torch.tensor(6.0).log()  # predictable in part


@pytest.mark.parametrize("noun", ALL)
def test_loading_is_reproducible_and_leaves_the_global_generator_alone(noun: Data) -> None:
    before = torch.get_rng_state()
    first, second = noun.load(), noun.load()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.targets, second.targets)
    assert first.checksum == second.checksum
    assert noun.load(torch.float64).checksum == first.checksum


@pytest.mark.parametrize("noun", [noun for noun in ALL if hasattr(noun, "seed")])
def test_another_seed_makes_other_data(noun: Any) -> None:
    assert noun.load().checksum != replace(noun, seed=noun.seed + 1).load().checksum


@pytest.mark.parametrize("noun", ALL)
def test_recipes_can_be_written_down(noun: Data) -> None:
    assert decode(encode(noun)) == noun


@pytest.mark.parametrize("noun", [ALL[2], ALL[3]])
def test_made_data_say_that_they_are_not_real(noun: Data) -> None:
    assert "not real data" in noun.load().source


@pytest.mark.parametrize(
    ("noun", "setting", "sentence"),
    [
        (Chebyshev, {"degree": -1}, "degree=-1: it is at least 0"),
        (Chebyshev, {"n": 1}, "n=1: it is at least 2"),
        (LinearMap, {"n": 4, "dimension": 5}, "n=4 and dimension=5: XᵀX = nI needs at least as many samples"),
        (LinearMap, {"dimension": 0}, "dimension=0"),
        (LinearMap, {"seed": -1}, "seed=-1"),
        (SyntheticImages, {"n": 0}, "n=0"),
        (SyntheticImages, {"classes": 1}, "classes=1: it is at least 2"),
        (SyntheticImages, {"shape": (3, 0, 2)}, "height=0"),
        (SyntheticText, {"vocabulary": 1}, "vocabulary=1"),
        (SyntheticText, {"context": 0}, "context=0"),
    ],
)
def test_impossible_settings_are_refused(noun: Any, setting: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        noun(**setting)
