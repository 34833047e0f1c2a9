"""The mean over a fixed data set does not depend on how the data are cut, nor on what they come in."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import hessian
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from edgewise.foundation import ObjectiveError
from edgewise.objectives import CentralDifference, DoubleBackward, ForwardOverReverse, Objective

F64 = torch.float64


def _randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _classes(*shape: int, classes: int = 3, seed: int = 2) -> Tensor:
    return torch.randint(classes, shape, generator=torch.Generator().manual_seed(seed))


def _mlp(outputs: int = 3, inputs: int = 4) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


class Tokens(nn.Module):
    """Token ids (n, t) to scores (n, classes, t), as `torch.nn.CrossEntropyLoss` wants them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.head = nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.tanh(self.table(ids))).transpose(1, 2)


def _with_ignored(targets: Tensor, ignored: int, chance: float = 0.4) -> Tensor:
    drop = torch.rand(targets.shape, generator=torch.Generator().manual_seed(5)) < chance
    return torch.where(drop, ignored, targets)


def _assert_same(a: Objective, b: Objective, rtol: float = 1e-11) -> None:
    w = a.start
    assert torch.equal(w, b.start)
    v = torch.randn(w.shape, generator=torch.Generator().manual_seed(9), dtype=F64).to(w)
    one, other = a.at(w), b.at(w)
    close = {"rtol": rtol, "atol": rtol * 0.1}
    torch.testing.assert_close(one.value, other.value, **close)
    torch.testing.assert_close(a.value(w), b.value(w), **close)
    torch.testing.assert_close(one.gradient, other.gradient, **close)
    torch.testing.assert_close(one.hvp(v), other.hvp(v), **close)
    torch.testing.assert_close(one.third(v, v), other.third(v, v), **close)
    assert one.metrics.keys() == other.metrics.keys()
    for name in one.metrics:
        torch.testing.assert_close(one.metrics[name], other.metrics[name], **close)


CASES: dict[str, Callable[[int], tuple[nn.Module, Any, Any, Any]]] = {
    "squared error": lambda n: (_mlp(), nn.MSELoss(), _randn(n, 4), _randn(n, 3)),
    "squared error of one-hot rows": lambda n: (
        _mlp(),
        nn.MSELoss(),
        _randn(n, 4),
        F.one_hot(_classes(n), 3).double(),
    ),
    "a callable": lambda n: (_mlp(), lambda o, t: ((o - t) ** 4).mean(), _randn(n, 4), _randn(n, 3)),
    "a callable that adds up": lambda n: (_mlp(), lambda o, t: ((o - t) ** 2).sum(), _randn(n, 4), _randn(n, 3)),
    "a functional": lambda n: (_mlp(), F.cross_entropy, _randn(n, 4), _classes(n)),
    "cross-entropy": lambda n: (_mlp(), nn.CrossEntropyLoss(), _randn(n, 4), _classes(n)),
    "smoothed cross-entropy": lambda n: (
        _mlp(),
        nn.CrossEntropyLoss(label_smoothing=0.1, weight=_randn(3).abs()),
        _randn(n, 4),
        _classes(n),
    ),
    "cross-entropy of probabilities": lambda n: (
        _mlp(),
        nn.CrossEntropyLoss(),
        _randn(n, 4),
        torch.softmax(_randn(n, 3), 1),
    ),
    "cross-entropy with class weights": lambda n: (
        _mlp(),
        nn.CrossEntropyLoss(weight=torch.tensor([0.1, 1.0, 5.0], dtype=F64)),
        _randn(n, 4),
        _classes(n),
    ),
    "cross-entropy with ignored classes": lambda n: (
        _mlp(),
        nn.CrossEntropyLoss(ignore_index=0, weight=torch.tensor([0.1, 1.0, 5.0], dtype=F64)),
        _randn(n, 4),
        torch.cat([_classes(n)[:-1], torch.tensor([2])]),
    ),
    "negative log-likelihood": lambda n: (
        nn.Sequential(_mlp(), nn.LogSoftmax(1)),
        nn.NLLLoss(),
        _randn(n, 4),
        _classes(n),
    ),
    "logistic": lambda n: (_mlp(), nn.BCEWithLogitsLoss(), _randn(n, 4), _classes(n, 3, classes=2).double()),
    "a sum": lambda n: (_mlp(), nn.MSELoss(reduction="sum"), _randn(n, 4), _randn(n, 3)),
    "a sum of cross-entropies": lambda n: (
        _mlp(),
        nn.CrossEntropyLoss(reduction="sum"),
        _randn(n, 4),
        _classes(n),
    ),
    "divergence per sample": lambda n: (
        nn.Sequential(_mlp(), nn.LogSoftmax(1)),
        nn.KLDivLoss(reduction="batchmean"),
        _randn(n, 4),
        torch.softmax(_randn(n, 3), 1),
    ),
    "margins": lambda n: (_mlp(), nn.MultiMarginLoss(p=2), _randn(n, 4), _classes(n)),
    "tokens": lambda n: (Tokens().double(), nn.CrossEntropyLoss(), _classes(n, 5, classes=7), _classes(n, 5)),
    "tokens, some ignored": lambda n: (
        Tokens().double(),
        nn.CrossEntropyLoss(),
        _classes(n, 5, classes=7),
        _with_ignored(_classes(n, 5), -100),
    ),
    "tokens, a padding class": lambda n: (
        Tokens().double(),
        nn.CrossEntropyLoss(ignore_index=2),
        _classes(n, 5, classes=7),
        _with_ignored(_classes(n, 5), 2),
    ),
}
# Its third derivative jumps, and forward mode does not know it; nothing of the averaging is special.
NO_SECOND = {"margins"}


@settings(max_examples=2)
@given(n=st.integers(4, 12))
@pytest.mark.parametrize("case", [c for c in CASES if c not in NO_SECOND])
def test_chunks_change_nothing(case: str, n: int) -> None:
    module, criterion, inputs, targets = CASES[case](n)
    whole = Objective.from_module(module, criterion, (inputs, targets))
    for size in (1, 7, n):
        _assert_same(whole, Objective.from_module(module, criterion, (inputs, targets), size))


def test_chunks_change_no_gradient_of_a_criterion_without_a_second_derivative() -> None:
    module, criterion, inputs, targets = CASES["margins"](11)
    whole, cut = (
        Objective.from_module(module, criterion, (inputs, targets), size, way=CentralDifference())
        for size in (None, 4)
    )
    torch.testing.assert_close(cut.gradient(cut.start), whole.gradient(whole.start))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_chunk_of_which_every_token_is_ignored(size: int) -> None:
    inputs, targets = _randn(10, 4), _classes(10)
    targets[:4] = -100
    targets[7:9] = -100
    kept = targets != -100
    reference = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs[kept], targets[kept]))
    ours = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets), size)
    _assert_same(reference, ours)


def test_float32_chunks_agree_to_its_precision() -> None:
    inputs, targets = _randn(50, 4).float(), _classes(50)
    whole, cut = (
        Objective.from_module(_mlp().float(), nn.CrossEntropyLoss(), (inputs, targets), size) for size in (None, 7)
    )
    _assert_same(whole, cut, rtol=3e-5)


@pytest.mark.parametrize(
    "way", [DoubleBackward(memory_cap=0), DoubleBackward(memory_cap=6000), ForwardOverReverse()]
)
def test_ways_agree_over_chunks(way: Any) -> None:
    module, criterion, inputs, targets = CASES["cross-entropy with class weights"](17)
    whole = Objective.from_module(module, criterion, (inputs, targets))
    _assert_same(whole, Objective.from_module(module, criterion, (inputs, targets), 5, way=way))


# --- kinds of data


class Pairs(Dataset):
    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.inputs[index], int(self.targets[index])


def test_data_sets_and_loaders_are_the_same_objective() -> None:
    inputs, targets = _randn(11, 4), _classes(11)
    whole = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets))
    pairs = Pairs(inputs, targets)
    for data, size in (
        ([inputs, targets], None),
        (TensorDataset(inputs, targets), None),
        (TensorDataset(inputs, targets), 4),
        (pairs, 3),
        (Subset(pairs, range(11)), 7),
        (DataLoader(pairs, batch_size=4), None),  # a ragged last batch of 3
        (DataLoader(pairs, batch_size=4, sampler=range(11)), None),
    ):
        _assert_same(whole, Objective.from_module(_mlp(), nn.CrossEntropyLoss(), data, size))


def test_a_loader_draws_nothing_from_the_global_random_state() -> None:
    objective = Objective.from_module(
        _mlp(), nn.CrossEntropyLoss(), DataLoader(Pairs(_randn(6, 4), _classes(6)), batch_size=4)
    )
    before = torch.get_rng_state()
    objective.at(objective.start).hvp(objective.start)
    assert torch.equal(torch.get_rng_state(), before)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(2, 3), nn.Linear(2, 3)

    def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        return torch.tanh(self.first(a)) * self.second(b)


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = TwoInputs()

    def forward(self, pair: tuple[Tensor, dict[str, Tensor]]) -> dict[str, Tensor]:
        return {"scores": self.inner(pair[0], pair[1]["b"])}


def test_inputs_may_be_tuples_and_dicts() -> None:
    a, b, targets = _randn(9, 2), _randn(9, 2, seed=4), _classes(9)
    module = TwoInputs().double()
    whole = Objective.from_module(module, nn.CrossEntropyLoss(), ((a, b), targets))
    for inputs in ((a, b), [a, b], {"a": a, "b": b}, {"b": b, "a": a}):
        for size in (None, 2):
            _assert_same(whole, Objective.from_module(module, nn.CrossEntropyLoss(), (inputs, targets), size))
    loader = DataLoader([({"a": x, "b": y}, t) for x, y, t in zip(a, b, targets, strict=True)], batch_size=4)
    _assert_same(whole, Objective.from_module(module, nn.CrossEntropyLoss(), loader))


def test_nests_in_and_out() -> None:
    a, b, targets = _randn(9, 2), _randn(9, 2, seed=4), _classes(9)

    def criterion(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(outputs["scores"], targets["class"])

    whole = Objective.from_module(TwoInputs().double(), F.cross_entropy, ((a, b), targets), metrics={})
    nested = Objective.from_module(Nested().double(), criterion, (((a, {"b": b}),), {"class": targets}), 4)
    _assert_same(whole, nested)


# --- batch normalisation


def _normalised() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).double()


def test_ghost_batches_are_a_sample_weighted_mean() -> None:
    inputs, targets = _randn(10, 4), _classes(10)
    objective = Objective.from_module(_normalised(), nn.CrossEntropyLoss(), (inputs, targets), ghost_batch=4)
    module = _normalised()
    parts = [F.cross_entropy(module(x), y) for x, y in zip(inputs.split(4), targets.split(4), strict=True)]
    reference = (4 * parts[0] + 4 * parts[1] + 2 * parts[2]) / 10
    torch.testing.assert_close(objective.value(objective.start), reference.detach())
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=4)
    _assert_same(objective, Objective.from_module(_normalised(), nn.CrossEntropyLoss(), loader))


def test_ghost_batches_may_repeat_the_chunk_size() -> None:
    data = _randn(8, 4), _classes(8)
    one = Objective.from_module(_normalised(), nn.CrossEntropyLoss(), data, 4, ghost_batch=4)
    _assert_same(one, Objective.from_module(_normalised(), nn.CrossEntropyLoss(), data, ghost_batch=4))


def test_eval_mode_does_not_see_the_partition() -> None:
    inputs, targets = _randn(10, 4), _classes(10)
    module = _normalised()
    module(inputs)
    module.eval()
    whole, cut = (Objective.from_module(module, nn.CrossEntropyLoss(), (inputs, targets), n) for n in (None, 3))
    _assert_same(whole, cut)


# --- which parameters


def test_a_subset_is_a_block_of_the_hessian() -> None:
    inputs, targets = _randn(9, 4), _classes(9)
    whole = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets))
    w = whole.start
    H = whole.at(w).hvp_block(torch.eye(whole.size, dtype=F64))
    blocks = {"0": slice(0, 25), "0.weight": slice(0, 20), "2": slice(25, 43), "2.bias": slice(40, 43)}
    for only, block in blocks.items():
        for parameters in ([only], only):
            part = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets), parameters=parameters)
            assert torch.equal(part.start, w[block])
            at = part.at(part.start)
            torch.testing.assert_close(at.value, whole.value(w))
            torch.testing.assert_close(at.hvp_block(torch.eye(part.size, dtype=F64)), H[block, block])
    both = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets), parameters=["2.bias", "0.bias"])
    assert both.space.names == ("0.bias", "2.bias")


def test_frozen_parameters_are_left_out_and_kept_as_they_are() -> None:
    inputs, targets = _randn(9, 4), _classes(9)
    module = _mlp()
    module[0].requires_grad_(False)
    frozen = Objective.from_module(module, nn.CrossEntropyLoss(), (inputs, targets))
    part = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets), parameters=["2"])
    assert frozen.space == part.space
    _assert_same(frozen, part)


class Tied(nn.Module):
    """An autoencoder whose decoder is its encoder."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.decoder = nn.Linear(3, 3), nn.Linear(3, 3)
        self.decoder.weight = self.encoder.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(torch.tanh(self.encoder(x)))


def test_tied_weights_appear_once_and_are_right() -> None:
    module, x = Tied().double(), _randn(6, 3)
    objective = Objective.from_module(module, nn.MSELoss(), (x, x), 4)
    assert objective.space.names == ("encoder.weight", "encoder.bias", "decoder.bias")
    assert objective.size == 15

    def loss(w: Tensor) -> Tensor:
        W, b, c = w[:9].view(3, 3), w[9:12], w[12:]
        return ((torch.tanh(x @ W.T + b) @ W.T + c - x) ** 2).mean()

    at = objective.at(objective.start)
    torch.testing.assert_close(at.gradient, torch.func.grad(loss)(objective.start))
    torch.testing.assert_close(at.hvp_block(torch.eye(15, dtype=F64)), hessian(loss)(objective.start))
    by_other_name = Objective.from_module(module, nn.MSELoss(), (x, x), parameters="decoder.weight")
    assert by_other_name.space.names == ("encoder.weight",)


def test_buffers_are_carried() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 3)
            self.register_buffer("scale", torch.tensor(3.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) * self.scale

    module, data = Scaled().double(), (_randn(5, 4), _randn(5, 3))
    objective = Objective.from_module(module, nn.MSELoss(), data)
    torch.testing.assert_close(objective.value(objective.start), F.mse_loss(module(data[0]), data[1]).detach())
    assert objective.size == 15


# --- metrics


def test_metrics_are_means_over_samples_however_cut() -> None:
    inputs, targets = _randn(10, 4), _classes(10)

    def hits(outputs: Tensor, targets: Tensor) -> Tensor:
        assert not outputs.requires_grad
        return (outputs.argmax(1) == targets).double().mean()

    whole = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets), metrics={"hits": hits})
    cut = Objective.from_module(_mlp(), nn.CrossEntropyLoss(), (inputs, targets), 3, metrics={"hits": hits})
    _assert_same(whole, cut)
    reference = (_mlp()(inputs).argmax(1) == targets).double().mean()
    torch.testing.assert_close(whole.evaluate(whole.start).metrics["hits"], reference)


def test_accuracy_of_tokens_counts_only_those_that_count() -> None:
    module = Tokens().double()
    ids, targets = _classes(6, 5, classes=7), _with_ignored(_classes(6, 5), -100, chance=0.7)
    kept = targets != -100
    reference = (module(ids).argmax(1) == targets)[kept].double().mean()
    for size in (None, 1, 4):
        objective = Objective.from_module(module, nn.CrossEntropyLoss(), (ids, targets), size)
        torch.testing.assert_close(objective.at(objective.start).metrics["accuracy"], reference)


def test_no_accuracy_where_targets_are_no_classes() -> None:
    objective = Objective.from_module(_mlp(), nn.MSELoss(), (_randn(5, 4), _randn(5, 3)))
    assert objective.at(objective.start).metrics == {}


def test_a_criterion_in_a_chunk_sees_only_scalars() -> None:
    with pytest.raises(ObjectiveError, match=r"a criterion that returns shape \(5, 3\): an objective is a scalar"):
        Objective.from_module(_mlp(), nn.MSELoss(reduction="none"), (_randn(5, 4), _randn(5, 3)))


def test_modules_and_tensors_that_are_used_twice() -> None:
    """A module registered under two names, and its weight tied into a third: every call gives the same answer."""
    shared, last = nn.Linear(3, 3, dtype=torch.float64), nn.Linear(3, 3, dtype=torch.float64)
    last.weight = shared.weight
    module = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), last)
    numbers = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randn(5, 3, generator=numbers, dtype=torch.float64) for _ in range(2))
    objective = Objective.from_module(module, nn.MSELoss(), (inputs, targets))
    assert objective.size == 9 + 3 + 3

    def written_out(w: Tensor) -> Tensor:
        matrix, bias, other = w[:9].reshape(3, 3), w[9:12], w[12:]
        z = inputs
        for _ in range(2):
            z = torch.tanh(z @ matrix.T + bias)
        return nn.functional.mse_loss(z @ matrix.T + other, targets)

    aside = objective.start + 0.1
    for w in (objective.start, aside, objective.start, aside):
        leaf = w.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(written_out(leaf), leaf)
        torch.testing.assert_close(objective.value(w), written_out(w), rtol=1e-13, atol=0.0)
        torch.testing.assert_close(objective.gradient(w), gradient, rtol=1e-12, atol=1e-14)
        v = torch.linspace(-1, 1, 15, dtype=torch.float64)
        exact = torch.func.hessian(written_out)(w) @ v
        torch.testing.assert_close(objective.at(w).hvp(v), exact, rtol=1e-10, atol=1e-12)
