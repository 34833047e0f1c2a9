"""A mini-batch is the criterion's mean over its samples, whatever the data come in."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from edgewise.foundation import ObjectiveError, SettingError
from edgewise.objectives import Objective

F64 = torch.float64
ROWS = 7
# Seven terms added in another order: a few units in the last place of the largest.
ROUNDING = {"rtol": 1e-13, "atol": 1e-15}


def _randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _module(outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


X, Y = _randn(ROWS, 4), _randn(ROWS, 3, seed=2)
CLASSES = torch.tensor([0, 2, 1, 1, -100, 0, 2])


class _Rows(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, order: list[int]) -> None:
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return X[self.order[i]], Y[self.order[i]]


class _AllAtOnce(_Rows):
    """As Hugging Face's data sets: asked for all rows of a batch in one call."""

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        raise AssertionError("one by one")

    def __getitems__(self, rows: list[int]) -> list[tuple[Tensor, Tensor]]:
        return [super(_AllAtOnce, self).__getitem__(i) for i in rows]


class _Stream(IterableDataset[tuple[Tensor, Tensor]]):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter(zip(X, Y, strict=True))


KINDS: dict[str, Callable[[], Any]] = {
    "tensors": lambda: (X, Y),
    "dataset": lambda: _Rows(list(range(ROWS))),
    "all at once": lambda: _AllAtOnce(list(range(ROWS))),
    "loader": lambda: DataLoader(TensorDataset(X, Y), batch_size=3),
    "loader in another order": lambda: DataLoader(
        _Rows([6, 5, 4, 3, 2, 1, 0]), batch_size=3, sampler=[6, 5, 4, 3, 2, 1, 0]
    ),
}


def _direct(module: nn.Module, criterion: Callable[..., Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    parameters = list(module.parameters())
    loss = criterion(module(x), y)
    gradient = torch.autograd.grad(loss, parameters)
    return loss.detach(), torch.cat([g.reshape(-1) for g in gradient])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [[2], [0, 4], [6, 1, 1, 3], [5, 4, 3, 2, 1, 0, 6, 6]], ids=str)
def test_a_batch_is_the_mean_over_its_samples(kind: str, rows: list[int]) -> None:
    objective = Objective.from_module(_module(), nn.MSELoss(), KINDS[kind]())
    loss, gradient = _direct(_module(), nn.MSELoss(), X[rows], Y[rows])
    at = objective.batch_at(objective.start, torch.tensor(rows))
    assert objective.samples == ROWS
    torch.testing.assert_close(at.value, loss, **ROUNDING)
    torch.testing.assert_close(at.gradient, gradient, **ROUNDING)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3])
def test_the_batch_of_all_samples_is_the_objective(kind: str, chunk_size: int | None) -> None:
    data = KINDS[kind]()
    cut = None if isinstance(data, DataLoader) else chunk_size
    objective = Objective.from_module(_module(), nn.MSELoss(), data, cut)
    w, v = objective.start, _randn(objective.size, seed=3)
    whole, batch = objective.at(w), objective.batch_at(w, torch.arange(ROWS), products=True)
    torch.testing.assert_close(batch.value, whole.value, **ROUNDING)
    torch.testing.assert_close(batch.gradient, whole.gradient, **ROUNDING)
    torch.testing.assert_close(batch.hvp(v), whole.hvp(v), rtol=1e-12, atol=1e-14)


CRITERIA: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor, bool]] = {
    "mean": (nn.MSELoss(), Y, False),
    "sum": (nn.MSELoss(reduction="sum"), Y, True),
    "sum that does not say so": (lambda f, y: ((f - y) ** 2).sum(), Y, True),
    "mean that does not say so": (lambda f, y: ((f - y) ** 2).sum(1).mean(), Y, False),
    "batchmean": (nn.KLDivLoss(reduction="batchmean"), Y.softmax(1), False),
}


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_batches_average_to_the_objective(name: str, chunk_size: int | None) -> None:
    criterion, targets, _ = CRITERIA[name]
    objective = Objective.from_module(_module(), criterion, (X, targets), chunk_size)
    w = objective.start
    batches = [torch.tensor(rows) for rows in itertools.combinations(range(ROWS), 3)]
    gradients = torch.stack([objective.batch_at(w, rows).gradient for rows in batches])
    torch.testing.assert_close(gradients.mean(0), objective.gradient(w), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CRITERIA)
def test_criteria_against_autograd(name: str) -> None:
    criterion, targets, adds_up = CRITERIA[name]
    objective = Objective.from_module(_module(), criterion, (X, targets))
    rows = [4, 0, 4]
    loss, gradient = _direct(_module(), criterion, X[rows], targets[rows])
    scale = ROWS / 3 if adds_up else 1.0
    at = objective.batch_at(objective.start, torch.tensor(rows))
    torch.testing.assert_close(at.value, scale * loss, **ROUNDING)
    torch.testing.assert_close(at.gradient, scale * gradient, **ROUNDING)


@pytest.mark.parametrize("chunk_size", [None, 1, 2])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 5.0, 0.25], dtype=F64)], ids=["plain", "weighted"])
def test_tokens_that_do_not_count_are_left_out(chunk_size: int | None, weight: Tensor | None) -> None:
    criterion = nn.CrossEntropyLoss(weight)
    objective = Objective.from_module(_module(), criterion, (X, CLASSES), chunk_size)
    rows = [4, 0, 2, 4]
    loss, gradient = _direct(_module(), criterion, X[rows], CLASSES[rows])
    at = objective.batch_at(objective.start, torch.tensor(rows))
    torch.testing.assert_close(at.value, loss, **ROUNDING)
    torch.testing.assert_close(at.gradient, gradient, **ROUNDING)


def test_a_batch_in_which_nothing_counts_has_no_gradient() -> None:
    objective = Objective.from_module(_module(), nn.CrossEntropyLoss(), (X, CLASSES))
    at = objective.batch_at(objective.start, torch.tensor([4, 4]))
    assert float(at.value) == 0.0
    assert not bool(at.gradient.any())


def test_dicts_of_inputs_are_picked_too() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = _module()

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.net(a + b)

    objective = Objective.from_module(Sum(), nn.MSELoss(), ({"a": X, "b": 2 * X}, Y))
    rows = [3, 1]
    loss, _ = _direct(_module(), nn.MSELoss(), 3 * X[rows], Y[rows])
    torch.testing.assert_close(objective.batch_at(objective.start, torch.tensor(rows)).value, loss, **ROUNDING)


def test_the_last_ragged_batch_that_a_loader_drops_is_not_among_the_samples() -> None:
    loader = DataLoader(TensorDataset(X, Y), batch_size=3, drop_last=True)
    objective = Objective.from_module(_module(), nn.MSELoss(), loader)
    assert objective.samples == 6
    with pytest.raises(SettingError, match=r"indices from 0 to 6: the objective has the samples 0 to 5\. Type"):
        objective.batch_at(objective.start, torch.arange(7))


def test_another_precision_has_the_same_batches() -> None:
    objective = Objective.from_module(_module(), nn.MSELoss(), (X, Y))
    rows = torch.tensor([5, 0])
    single = objective.to(torch.float32)
    at = single.batch_at(single.start, rows)
    assert at.gradient.dtype == torch.float32
    exact = objective.batch_at(objective.start, rows).gradient
    torch.testing.assert_close(at.gradient.double(), exact, rtol=1e-4, atol=1e-6)


@settings(max_examples=15)
@given(rows=st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=12), kind=st.sampled_from(sorted(KINDS)))
def test_a_batch_is_repeatable_bit_for_bit(rows: list[int], kind: str) -> None:
    objective = Objective.from_module(_module(), nn.MSELoss(), KINDS[kind]())
    w, indices = objective.start, torch.tensor(rows)
    before = torch.random.get_rng_state()
    first, second = (objective.batch_at(w, indices, products=True) for _ in range(2))
    assert torch.equal(first.value, second.value)
    assert torch.equal(first.gradient, second.gradient)
    assert torch.equal(first.hvp(w), second.hvp(w))
    assert torch.equal(torch.random.get_rng_state(), before)
    # What a step takes does not depend on whether products were asked for.
    assert torch.equal(first.gradient, objective.batch_at(w, indices).gradient)


def test_running_statistics_are_left_as_they_were() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).double().eval()
    objective = Objective.from_module(module, nn.MSELoss(), (X, Y))
    w = objective.start
    first = objective.batch_at(w, torch.tensor([0, 1])).gradient
    objective.batch_at(w, torch.tensor([5, 6])).gradient  # noqa: B018
    assert torch.equal(objective.batch_at(w, torch.tensor([0, 1])).gradient, first)


def test_a_plain_function_has_no_samples() -> None:
    bowl = Objective.from_function(lambda w: (w**2).sum(), 2)
    sentence = (
        r"samples of an objective made from a plain function: it is one number, not a mean over samples\. "
        r"Type Objective\.from_module"
    )
    with pytest.raises(ObjectiveError, match=sentence):
        bowl.batch_at(bowl.start, torch.tensor([0]))
    with pytest.raises(ObjectiveError, match=sentence):
        bowl.samples  # noqa: B018


@pytest.mark.parametrize("batch_size", [3, None])
def test_a_loader_without_random_access_is_refused(batch_size: int | None) -> None:
    data: Dataset[Any] = _Stream() if batch_size else TensorDataset(X[None], Y[None])
    objective = Objective.from_module(_module(), nn.MSELoss(), DataLoader(data, batch_size=batch_size))
    with pytest.raises(
        ObjectiveError, match=r"single samples of a DataLoader.*Give \(inputs, targets\) as tensors"
    ):
        objective.batch_at(objective.start, torch.tensor([0]))


def test_a_loader_that_makes_other_samples_than_its_entries_is_refused() -> None:
    def both_halves(entries: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        x, y = (torch.stack(column) for column in zip(*entries, strict=True))
        return torch.cat([x, -x]), torch.cat([y, y])

    loader = DataLoader(TensorDataset(X, Y), batch_size=ROWS, collate_fn=both_halves)
    objective = Objective.from_module(_module(), nn.MSELoss(), loader)
    with pytest.raises(ObjectiveError, match="a loader that makes 14 samples from 7 entries"):
        objective.batch_at(objective.start, torch.tensor([0]))


@pytest.mark.parametrize("train", [True, False])
def test_layers_that_mix_samples_are_refused(train: bool) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(3, track_running_stats=train)
    module = nn.Sequential(nn.Linear(4, 3), norm).double().train(train)
    objective = Objective.from_module(module, nn.MSELoss(), (X, Y), ghost_batch=ROWS)
    with pytest.raises(
        ObjectiveError, match=r"mini-batches through 1 \(BatchNorm1d\), which mixes samples: .*Group"
    ):
        objective.batch_at(objective.start, torch.tensor([0, 1]))


def test_a_criterion_that_compares_samples_is_refused() -> None:
    def spread(f: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(f, y) + f.var(0).sum()

    objective = Objective.from_module(_module(), spread, (X, Y))
    with pytest.raises(
        ObjectiveError, match=r"mini-batches with the criterion spread: on 7 samples .*Use a mean over"
    ):
        objective.batch_at(objective.start, torch.tensor([0, 1]))


@pytest.mark.parametrize(
    "indices",
    [
        torch.tensor([0.0, 1.0]),
        torch.tensor([True, False]),
        torch.tensor([[0], [1]]),
        torch.tensor(3),
        torch.tensor([]),
    ],
    ids=["floats", "mask", "column", "number", "nothing"],
)
def test_indices_are_a_row_of_numbers(indices: Tensor) -> None:
    objective = Objective.from_module(_module(), nn.MSELoss(), (X, Y))
    with pytest.raises(SettingError, match=r"indices of shape .*a batch is a row of sample numbers"):
        objective.batch_at(objective.start, indices)


@pytest.mark.parametrize("rows", [[-1, 0], [0, ROWS]])
def test_indices_of_no_sample_are_refused(rows: list[int]) -> None:
    objective = Objective.from_module(_module(), nn.MSELoss(), (X, Y))
    with pytest.raises(SettingError, match=r"the objective has the samples 0 to 6\. Type torch\.randint\(7"):
        objective.batch_at(objective.start, torch.tensor(rows))


def test_a_point_that_does_not_fit_is_refused() -> None:
    objective = Objective.from_module(_module(), nn.MSELoss(), (X, Y))
    with pytest.raises(ObjectiveError, match="a point of shape"):
        objective.batch_at(objective.start[:-1], torch.tensor([0]))
