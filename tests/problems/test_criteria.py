import pytest
import torch
from torch import nn

from edgewise.data import Chebyshev, Digits, SyntheticImages, SyntheticText
from edgewise.foundation import SettingError, decode, encode
from edgewise.problems import CrossEntropy, SquaredError
from edgewise.problems.criteria import HalfSquaredDistance, criterion_named, share_correct


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_squared_error_is_the_mean_of_half_squared_distances() -> None:
    f, y = normal(4, 3), normal(4, 3).flip(0)
    by_hand = sum(0.5 * sum(float(f[i, k] - y[i, k]) ** 2 for k in range(3)) for i in range(4)) / 4
    assert float(SquaredError().function()(f, y)) == pytest.approx(by_hand, rel=1e-14)
    torch.testing.assert_close(SquaredError().function()(f, y), nn.MSELoss()(f, y) * 3 / 2)


def test_classes_become_one_hot_rows_and_real_targets_stay() -> None:
    digits = Digits(n=5).load()
    rows = SquaredError().targets(digits, torch.float64)
    assert rows.dtype == torch.float64
    assert rows.tolist() == [[float(k == int(label)) for k in range(10)] for label in digits.targets]
    line = Chebyshev().load()
    assert SquaredError().targets(line, torch.float32) is line.targets


def test_the_cross_entropy_is_the_mean_negative_log_probability() -> None:
    f, y = normal(4, 3), torch.tensor([0, 2, 1, 2])
    by_hand = -sum(float((f[i].exp() / f[i].exp().sum()).log()[y[i]]) for i in range(4)) / 4
    assert float(CrossEntropy().function()(f, y)) == pytest.approx(by_hand, rel=1e-14)


def test_accuracy_takes_classes_on_the_second_axis_even_where_axes_are_equally_long() -> None:
    logits = torch.zeros(2, 3, 3)  # samples, classes, tokens
    targets = torch.tensor([[0, 1, 2], [2, 2, 1]])
    for sample in range(2):
        for token in range(3):
            logits[sample, targets[sample, token], token] = 1.0
    assert float(share_correct(logits, targets)) == 1.0
    targets[0, 0] = 1
    assert float(share_correct(logits, targets)) == pytest.approx(5 / 6)


def test_expected_targets_of_the_squared_error_are_a_unit_gaussian_around_the_outputs() -> None:
    f = normal(1, 3).expand(20_000, 3)
    draw = torch.Generator().manual_seed(1)
    y = HalfSquaredDistance().sample_targets(f, draw)
    assert y.dtype == f.dtype
    # Four standard errors of a mean and of a variance of 20,000.
    torch.testing.assert_close(y.mean(0), f[0], rtol=0, atol=4 / 20_000**0.5)
    torch.testing.assert_close(y.var(0), torch.ones(3).double(), rtol=0, atol=4 * (2 / 20_000) ** 0.5)


def test_a_criterion_that_does_not_fit_the_targets_is_refused() -> None:
    with pytest.raises(SettingError, match="a cross-entropy on chebyshev: its targets are real values"):
        CrossEntropy().targets(Chebyshev().load(), torch.float32)
    with pytest.raises(SettingError, match=r"a squared error on synthetic text: .*a class at every token"):
        SquaredError().targets(SyntheticText().load(), torch.float32)


def test_class_indices_are_left_as_they_are_for_the_cross_entropy() -> None:
    images = SyntheticImages(n=4).load()
    assert CrossEntropy().targets(images, torch.float32) is images.targets


def test_short_names() -> None:
    assert criterion_named("mse") == SquaredError()
    assert criterion_named("ce") == CrossEntropy()
    with pytest.raises(SettingError, match=r"loss='mae': .*Type loss='mse' or loss='ce'"):
        criterion_named("mae")


@pytest.mark.parametrize("criterion", [SquaredError(), CrossEntropy()])
def test_criteria_can_be_written_down(criterion: object) -> None:
    assert decode(encode(criterion)) == criterion
