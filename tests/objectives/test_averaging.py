"""How criteria average: weights, the accuracy, and which of mean and sum a callable is."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.foundation import ObjectiveError
from edgewise.objectives.averaging import Accuracy, combines, default_metrics, weight_in_metric, weight_of

CLASSES = torch.tensor([0, 2, 1, 2, -100])
FLOATS = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SCORES = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("criterion", "targets", "weight"),
    [
        (nn.CrossEntropyLoss(), CLASSES, 4.0),
        (nn.CrossEntropyLoss(ignore_index=2), CLASSES[:4], 2.0),
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 4.0])), CLASSES, 1.0 + 4.0 + 2.0 + 4.0),
        (nn.NLLLoss(), CLASSES, 4.0),
        (nn.CrossEntropyLoss(), FLOATS, 15.0),
        (nn.MSELoss(), FLOATS, 15.0),
        (nn.MSELoss(), {"rows": FLOATS}, 15.0),
        (nn.L1Loss(), FLOATS, 15.0),
        (nn.KLDivLoss(reduction="batchmean"), FLOATS, 5.0),
        (nn.MultiMarginLoss(), CLASSES[:4], 4.0),
        (F.mse_loss, FLOATS, 5.0),
        (lambda outputs, targets: outputs.mean(), FLOATS, 5.0),
    ],
)
def test_the_weight_is_what_the_mean_divides_by(criterion: object, targets: object, weight: float) -> None:
    assert weight_of(criterion, targets) == weight


@pytest.mark.parametrize(
    "criterion", [nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 4.0]).double()), nn.NLLLoss()]
)
def test_the_weight_times_the_mean_adds_up(criterion: nn.Module) -> None:
    whole = criterion(SCORES, CLASSES) * weight_of(criterion, CLASSES)
    parts = sum(
        criterion(SCORES[cut], CLASSES[cut]) * weight_of(criterion, CLASSES[cut])
        for cut in (slice(0, 3), slice(3, 5))
    )
    torch.testing.assert_close(whole, parts)


def test_accuracy_of_classes_tokens_and_one_hot_rows() -> None:
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert float(Accuracy()(scores, torch.tensor([1, 1, 1]))) == pytest.approx(2 / 3)
    assert float(Accuracy()(scores, F.one_hot(torch.tensor([1, 1, 1]), 2).float())) == pytest.approx(2 / 3)
    assert float(Accuracy()(scores, torch.tensor([1, -100, 1]))) == 1.0
    assert float(Accuracy(ignore_index=1)(scores, torch.tensor([1, 0, 1]))) == 1.0
    assert float(Accuracy()(scores, torch.full((3,), -100))) == 0.0
    tokens = scores.T.unsqueeze(0)  # (1, classes, tokens)
    assert float(Accuracy()(tokens, torch.tensor([[1, 0, 0]]))) == pytest.approx(2 / 3)
    last = scores.unsqueeze(0)  # (1, tokens, classes)
    assert float(Accuracy()(last, torch.tensor([[1, 0, 0]]))) == pytest.approx(2 / 3)


def test_the_accuracy_is_weighed_by_what_counts() -> None:
    assert weight_in_metric(Accuracy(), CLASSES) == 4
    assert weight_in_metric(Accuracy(ignore_index=2), CLASSES) == 2
    assert weight_in_metric(Accuracy(), FLOATS) == 5
    assert weight_in_metric(lambda o, t: o.mean(), CLASSES) == 5


def test_the_accuracy_is_read_where_targets_are_classes() -> None:
    one_hot = F.one_hot(torch.tensor([0, 2, 1, 2, 0]), 3).double()
    padded = nn.CrossEntropyLoss(ignore_index=2)
    assert default_metrics(F.cross_entropy, SCORES, CLASSES) == {"accuracy": Accuracy()}
    assert default_metrics(padded, SCORES, CLASSES) == {"accuracy": Accuracy(ignore_index=2, class_axis=1)}
    assert default_metrics(F.mse_loss, SCORES, one_hot) == {"accuracy": Accuracy()}
    for targets in (FLOATS, CLASSES.int(), CLASSES[:4], one_hot[:, :2], SCORES[:, :1], {"class": CLASSES}):
        assert default_metrics(F.mse_loss, SCORES, targets) == {}
    assert default_metrics(F.mse_loss, {"scores": SCORES}, CLASSES) == {}


@pytest.mark.parametrize("samples", [2, 3, 4, 5])
def test_mean_sum_or_neither(samples: int) -> None:
    outputs, targets = SCORES[:samples], FLOATS[:samples]

    def pairwise(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs @ targets.T).logsumexp((0, 1))

    assert combines(nn.MSELoss(), outputs, targets) == "mean"
    assert combines(F.mse_loss, outputs, targets) == "mean"
    assert combines(nn.MSELoss(reduction="sum"), outputs, targets) == "sum"
    assert combines(lambda o, t: ((o - t) ** 2).sum(), outputs, targets) == "sum"
    with pytest.raises(ObjectiveError, match="the criterion pairwise on data in several chunks"):
        combines(pairwise, outputs, targets)


def test_what_cannot_be_tried_is_believed() -> None:
    assert combines(nn.MSELoss(), SCORES[:1], FLOATS[:1]) == "mean"
    assert combines(nn.MSELoss(reduction="sum"), {"scores": SCORES}, FLOATS) == "sum"
    assert combines(lambda o, t: o.sum() * torch.nan, SCORES, FLOATS) == "mean"


def test_classes_lie_on_the_second_axis_for_cross_entropy_even_where_the_last_would_fit() -> None:
    outputs = torch.zeros(1, 3, 3, dtype=torch.float64)
    outputs[0, 2, :] = 1.0  # class 2 at all three tokens
    targets = torch.tensor([[2, 2, 0]])
    metric = default_metrics(nn.CrossEntropyLoss(), outputs, targets)["accuracy"]
    assert float(metric(outputs, targets)) == pytest.approx(2 / 3)
