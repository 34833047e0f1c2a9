"""Every pairing that cannot work is refused with what was given, why, and what to type."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from edgewise.foundation import ObjectiveError, SettingError
from edgewise.objectives import CentralDifference, DoubleBackward, Objective

X, Y = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
PAIRS = TensorDataset(X, Y)


def _mlp(*extra: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), *extra, nn.Linear(5, 3))


def _made(
    module: nn.Module | None = None, criterion: Any = None, data: Any = None, *args: Any, **kwargs: Any
) -> Objective:
    return Objective.from_module(
        module or _mlp(), criterion or nn.CrossEntropyLoss(), (X, Y) if data is None else data, *args, **kwargs
    )


def _with(tensor: Tensor, value: float) -> Tensor:
    tensor = tensor.clone()
    tensor[1, 2] = value
    return tensor


class Endless(IterableDataset):
    def __iter__(self):
        yield from PAIRS


class Forgetful(nn.Module):
    """Drops units without saying so."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.layer(x), 0.5, training=True)


class Drifting(nn.Module):
    """Remembers how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(4, 3), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.layer(x) * (1 + self.calls)


class Augmented(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return X[index] + 0.1 * torch.randn(4), Y[index]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(4, 3, num_layers=2, dropout=0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.recurrent(x)[0]


class Transformed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0]


class Unique(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.lock = nn.Linear(4, 3), threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Rooted(nn.Module):
    """√‖w‖ has no derivative at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.sqrt(self.w)


def _frozen() -> nn.Module:
    return _mlp().requires_grad_(False)


def _mixed() -> nn.Module:
    module = _mlp()
    module[1].double()
    return module


def _complex() -> nn.Module:
    return nn.Linear(4, 3, dtype=torch.complex64)


def _old_weight_norm() -> nn.Module:
    with pytest.warns(FutureWarning):
        layer = nn.utils.weight_norm(nn.Linear(4, 3))
    layer(X)
    return layer


def _contrast(outputs: Tensor, targets: Tensor) -> Tensor:
    return torch.logsumexp(outputs @ outputs.T, 1).mean()


def _weighted(sampler: type) -> DataLoader:
    if sampler is WeightedRandomSampler:
        return DataLoader(PAIRS, sampler=WeightedRandomSampler([1.0] * 8, 8))
    return DataLoader(PAIRS, sampler=sampler(range(8)))


# name: (what is done, what was given, why, what to type)
REFUSALS: dict[str, tuple[Callable[[], object], str, str, str]] = {
    # the module
    "dropout": (
        lambda: _made(_mlp(nn.Dropout(0.5))),
        "dropout in train mode at 1 (Dropout)",
        "another mask",
        "module.eval()",
    ),
    "dropout in two dimensions": (
        lambda: _made(_mlp(nn.Dropout1d(0.1))),
        "dropout in train mode at 1 (Dropout1d)",
        "another mask",
        "set p=0",
    ),
    "dropout in an LSTM": (lambda: _made(Recurrent()), "recurrent (LSTM)", "another mask", "module.eval()"),
    "dropout in attention": (
        lambda: _made(Transformed()),
        "(MultiheadAttention)",
        "another mask",
        "module.eval()",
    ),
    "functional dropout": (
        lambda: _made(Forgetful()),
        "an objective whose loss is",
        "random numbers",
        "F.dropout",
    ),
    "memory": (lambda: _made(Drifting()), "an objective whose loss is", "remembers the last call", "Look for"),
    "augmentation": (lambda: _made(data=Augmented()), "an objective whose loss is", "random", "augmentation"),
    "batch normalisation": (
        lambda: _made(_mlp(nn.BatchNorm1d(5))),
        "batch normalisation in train mode at 1 (BatchNorm1d) without a fixed partition",
        "which samples share a batch",
        "ghost_batch=1000",
    ),
    "batch normalisation in chunks": (
        lambda: _made(_mlp(nn.BatchNorm1d(5)), None, None, 4),
        "batch normalisation in train mode",
        "which samples share a batch",
        "ghost_batch",
    ),
    "batch normalisation that never has statistics": (
        lambda: _made(_mlp(nn.BatchNorm1d(5, track_running_stats=False)).eval()),
        "batch normalisation without running statistics at 1 (BatchNorm1d)",
        "even in eval mode",
        "ghost_batch",
    ),
    "an embedding that rescales itself": (
        lambda: _made(nn.Embedding(3, 3, max_norm=1.0), None, (Y, Y)),
        "max_norm=1.0 at the module (Embedding)",
        "rescales its own weights",
        "Leave max_norm out",
    ),
    "nothing trainable": (
        lambda: _made(_frozen()),
        "a Sequential with no trainable parameter",
        "nothing to differentiate",
        "requires_grad_(True)",
    ),
    "no parameter at all": (
        lambda: _made(nn.Tanh()),
        "a Tanh with no trainable parameter",
        "nothing",
        "parameters",
    ),
    "an unknown name": (
        lambda: _made(parameters=["1", "7.weight"]),
        "parameters=['1', '7.weight']",
        "'7.weight'",
        "Choose from 0.weight, 0.bias, 1.weight, 1.bias",
    ),
    "half a name": (lambda: _made(parameters="0.wei"), "parameters=['0.wei']", "'0.wei'", "Choose from"),
    "no name": (lambda: _made(parameters=[]), "parameters=[]", "no parameter is left", "Choose from"),
    "two precisions": (
        lambda: _made(_mixed()),
        "parameters of torch.float32, torch.float64",
        "one real floating-point type",
        "module.double()",
    ),
    "complex parameters": (
        lambda: _made(_complex(), None, (X.cfloat(), Y)),
        "parameters of torch.complex64",
        "real",
        "module.float()",
    ),
    "old weight normalisation": (
        lambda: _made(_old_weight_norm()),
        "a Linear that cannot be copied",
        "its own copy",
        "parametrizations",
    ),
    "a module with a lock inside": (
        lambda: _made(Unique()),
        "a Unique that cannot be copied",
        "its own copy",
        "keep locks and files outside",
    ),
    "NaN at the start": (
        lambda: _made(nn.Sequential(_mlp(), nn.Softsign(), nn.Threshold(2.0, float("nan")))),
        "a loss of nan at the start",
        "nothing can be measured",
        "initialisation",
    ),
    "no gradient at the start": (
        lambda: _made(Rooted()),
        "a gradient with entries that are not finite",
        "nothing can be measured",
        "square roots",
    ),
    # the data
    "NaN": (lambda: _made(data=(_with(X, float("nan")), Y)), "inputs with 1 entries", "NaN", "torch.nan_to_num"),
    "infinity in the targets": (
        lambda: _made(None, nn.MSELoss(), (X, _with(X[:, :3], float("inf")))),
        "targets with 1 entries that are not finite",
        "infinity",
        "Remove those samples",
    ),
    "empty tensors": (
        lambda: _made(data=(X[:0], Y[:0])),
        "a data set with no samples",
        "mean over nothing",
        "subset",
    ),
    "an empty data set": (
        lambda: _made(data=TensorDataset(X[:0], Y[:0])),
        "a data set with no samples",
        "mean over nothing",
        "subset",
    ),
    "an empty loader": (
        lambda: _made(data=DataLoader(PAIRS, batch_size=9, drop_last=True)),
        "a data set with no samples",
        "mean over nothing",
        "subset",
    ),
    "lengths": (
        lambda: _made(data=(X, Y[:5])),
        "inputs and targets with 5 and 8 samples",
        "its target",
        "same first dimension",
    ),
    "arrays": (
        lambda: _made(data=(X.numpy(), Y)),
        "inputs of type ndarray without a single tensor",
        "made from tensors",
        "torch.as_tensor(inputs)",
    ),
    "no targets": (
        lambda: _made(data=(X, None)),
        "targets of type NoneType",
        "made from tensors",
        "torch.as_tensor(targets)",
    ),
    "one tensor": (
        lambda: _made(data=X),
        "data of type Tensor",
        "pairs of inputs and targets",
        "(inputs, targets)",
    ),
    "three tensors": (lambda: _made(data=(X, Y, Y)), "data of type tuple", "pairs", "(inputs, targets)"),
    "a loader of triples": (
        lambda: _made(data=DataLoader(TensorDataset(X, Y, Y), batch_size=4)),
        "a loader whose batches are",
        "a pair",
        "collate_fn",
    ),
    "an iterable data set": (
        lambda: _made(data=Endless()),
        "a Endless",
        "no fixed length",
        "Collect it into tensors",
    ),
    "a shuffling loader": (
        lambda: _made(data=DataLoader(PAIRS, shuffle=True)),
        "a DataLoader with a RandomSampler",
        "differently at every pass",
        "shuffle=False",
    ),
    **{
        f"a {sampler.__name__}": (
            lambda sampler=sampler: _made(data=_weighted(sampler)),
            f"a DataLoader with a {sampler.__name__}",
            "differently at every pass",
            "shuffle=False",
        )
        for sampler in (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
    },
    "chunks of a loader": (
        lambda: _made(None, None, DataLoader(PAIRS), 4),
        "a DataLoader and chunk_size=4",
        "the loader cuts the data itself",
        "DataLoader(..., batch_size=4)",
    ),
    "ghost batches of a loader": (
        lambda: _made(None, None, DataLoader(PAIRS), ghost_batch=4),
        "a DataLoader and ghost_batch=4",
        "the loader cuts the data itself",
        "leave ghost_batch out",
    ),
    "no sample in a chunk": (lambda: _made(None, None, None, 0), "chunk_size=0", "at least one", "chunk_size=256"),
    "no sample in a ghost batch": (
        lambda: _made(ghost_batch=0),
        "ghost_batch=0",
        "at least one",
        "ghost_batch=256",
    ),
    "two partitions": (
        lambda: _made(None, None, None, 2, ghost_batch=4),
        "chunk_size=2 and ghost_batch=4",
        "in one piece",
        "ghost_batch=4 alone",
    ),
    # what goes with what
    "integers": (
        lambda: _made(data=((255 * X).to(torch.uint8), Y)),
        "inputs of torch.uint8 for a module with parameters of torch.float32",
        "the module refuses them",
        "inputs.to(torch.float32)",
    ),
    "another precision": (
        lambda: _made(data=(X.double(), Y)),
        "inputs of torch.float64 for a module with parameters of torch.float32",
        "refuses",
        "inputs.to(torch.float32)",
    ),
    "another width": (
        lambda: _made(data=(X[:, :2], Y)),
        "a Sequential that cannot take these inputs",
        "shapes cannot be multiplied",
        "forward(x)",
    ),
    "too many arguments": (
        lambda: _made(data=((X, X), Y)),
        "a Sequential that cannot take these inputs",
        "positional arguments",
        "a tuple for forward(*xs)",
    ),
    "another device": (
        lambda: _made(data=(X.to("meta"), Y)),
        "inputs on meta and parameters on cpu",
        "one device",
        "inputs.to('cpu')",
    ),
    "targets on another device": (
        lambda: _made(data=(X, Y.to("meta"))),
        "targets on meta and parameters on cpu",
        "one device",
        "targets.to('cpu')",
    ),
    "a token outside the table": (
        lambda: _made(nn.Embedding(2, 3), None, (Y, Y)),
        "a Embedding that cannot take these inputs",
        "index out of range",
        "num_embeddings",
    ),
    "a class too many": (
        lambda: _made(data=(X, Y + 1)),
        "a criterion that cannot compare outputs (float32 (8, 3)) with targets (int64 (8,))",
        "Target 3 is out of bounds",
        "below the number of outputs",
    ),
    "targets that would be stretched": (
        lambda: _made(nn.Linear(4, 1), nn.MSELoss(), (X, Y.float())),
        "outputs of shape (8, 1) and targets of shape (8,)",
        "other samples' targets",
        "Type targets.reshape(-1, 1)",
    ),
    "outputs that would be stretched": (
        lambda: _made(nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), nn.L1Loss(), (X, Y.float()[:, None])),
        "outputs of shape (8,) and targets of shape (8, 1)",
        "other samples' targets",
        "Type targets.reshape(-1)",
    ),
    "classes for the squared error": (
        lambda: _made(None, nn.MSELoss(), (X[:3], Y[:3])),
        "outputs of shape (3, 3) and targets of shape (3,)",
        "other samples' targets",
        "torch.nn.functional.one_hot(targets, 3).to(torch.float32)",
    ),
    "one target for all outputs": (
        lambda: _made(None, nn.MSELoss(), (X, Y.float()[:, None])),
        "outputs of shape (8, 3) and targets of shape (8, 1)",
        "other samples' targets",
        "Give targets of shape (8, 3)",
    ),
    "classes as floats": (
        lambda: _made(data=(X, Y.float())),
        "targets (float32 (8,))",
        "Long",
        "torch.int64",
    ),
    "shapes that a criterion refuses": (
        lambda: _made(None, nn.BCEWithLogitsLoss(), (X, Y.float())),
        "targets (float32 (8,))",
        "must be the same",
        "dtype of the outputs",
    ),
    "a vector": (
        lambda: _made(None, nn.CrossEntropyLoss(reduction="none")),
        "a criterion that returns shape (8,)",
        "an objective is a scalar",
        "reduction='mean'",
    ),
    "a number": (
        lambda: _made(None, lambda outputs, targets: 3.0),
        "a criterion that returns float",
        "an objective is a scalar",
        ".mean()",
    ),
    "nothing but ignored": (
        lambda: _made(data=(X, torch.full((8,), -100))),
        "targets that the criterion ignores, every one",
        "0/0",
        "ignore_index",
    ),
    # functions
    "a function of no variable": (
        lambda: Objective.from_function(lambda w: w.sum(), 0),
        "size=0",
        "nothing to differentiate",
        "size=1",
    ),
    "a function of integers": (
        lambda: Objective.from_function(lambda w: w.sum(), 2, torch.int64),
        "dtype=torch.int64",
        "real numbers",
        "dtype=torch.float64",
    ),
    "a start of another length": (
        lambda: Objective.from_function(lambda w: w.sum(), 2, start=torch.zeros(3)),
        "a start of shape (3,)",
        "(2,)",
        "torch.zeros(size)",
    ),
    "a function that returns a vector": (
        lambda: Objective.from_function(lambda w: w**2, 2),
        "a function that returns (2,)",
        "a scalar tensor",
        "loss.mean()",
    ),
    "a function that returns a number": (
        lambda: Objective.from_function(lambda w: 3.0, 2),
        "a function that returns float",
        "a scalar tensor",
        "zero-dimensional",
    ),
    "a random function": (
        lambda: Objective.from_function(lambda w: (w**2).sum() + torch.rand(()), 2),
        "an objective whose loss is",
        "random numbers",
        "noise",
    ),
    "a function without a value": (
        lambda: Objective.from_function(lambda w: torch.log(w).sum() ** 2, 2),
        "a loss of inf at the start",
        "nothing can be measured",
        "scale of the data",
    ),
    "a function with constants of its own": (
        lambda: Objective.from_function(lambda w: (X[0] @ w) ** 2, 4, torch.float32).to(torch.float64),
        "a plain function of torch.float32 asked for in torch.float64",
        "stays in its own precision",
        ".to(w.dtype)",
    ),
    # ways
    "no distance": (lambda: CentralDifference(step=0.0), "step=0.0", "positive distance", "step=None"),
    "less than no memory": (lambda: DoubleBackward(memory_cap=-1), "memory_cap=-1", "not negative", "2**30"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_with_what_was_given_why_and_what_to_type(case: str) -> None:
    act, given, why, fix = REFUSALS[case]
    with pytest.raises((ObjectiveError, SettingError)) as caught:
        act()
    error = caught.value
    assert given in error.given
    assert why in error.why
    assert fix in error.fix
    assert str(error) == f"{error.given}: {error.why}. {error.fix}."
    assert len(str(error)) < 450, "a sentence, not a page"
    assert not re.search(r"\.\.(?!\.)|\. \.", str(error).replace("...", "")), "punctuation"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_criterion_that_compares_samples_needs_all_of_them(size: int) -> None:
    whole = _made(None, _contrast, (X, X))
    assert whole.at(whole.start).hvp(whole.start).isfinite().all()
    with pytest.raises(
        ObjectiveError, match=r"the criterion _contrast on data in several chunks: .* Leave chunk_size out"
    ):
        _made(None, _contrast, (X, X), size)


def test_what_looks_like_trouble_but_is_not() -> None:
    _made(_mlp(nn.Dropout(0.5)).eval())
    _made(_mlp(nn.Dropout(0.0)))
    _made(_mlp(nn.BatchNorm1d(5)).eval())
    _made(_mlp(nn.BatchNorm1d(5)), ghost_batch=8)
    _made(_mlp(nn.BatchNorm1d(5)), None, DataLoader(PAIRS, batch_size=4))
    _made(Recurrent().eval())
    _made(data=DataLoader(PAIRS, batch_size=3, shuffle=False))
    _made(None, nn.MSELoss(), (X, (X[:, :3] > 0).long()))  # integer targets are cast
    _made(_mlp(nn.LayerNorm(5, elementwise_affine=False)), None, None, 100)


def test_the_global_random_state_is_left_alone_even_by_random_objectives() -> None:
    module = Forgetful()
    random = torch.get_rng_state()
    with pytest.raises(ObjectiveError):
        _made(module)
    with pytest.raises(ObjectiveError):
        Objective.from_function(lambda w: (w**2).sum() + torch.rand(()), 2)
    assert torch.equal(torch.get_rng_state(), random)


def test_a_layer_that_says_it_mixes_samples_needs_a_fixed_partition() -> None:
    class Centring(nn.Module):
        mixes_samples = True

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - x.mean(0)

    net = nn.Sequential(nn.Linear(2, 1), Centring())
    data = torch.randn(6, 2), torch.randn(6, 1)
    with pytest.raises(ObjectiveError, match=r"mixes samples at 1 \(Centring\).*ghost_batch"):
        Objective.from_module(net, nn.MSELoss(), data)
    assert Objective.from_module(net, nn.MSELoss(), data, ghost_batch=3).size == 3
