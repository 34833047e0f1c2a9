"""Training with a watch that reads at every step, and without one: the same to the last bit."""

import copy
import io
import random
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from edgewise.watch import Watch
from reference.bad_settings import as_a_user_types
from reference.watched import digits_like, mlp, plenty

optim = torch.optim
STEPS = 12
KINDS = {
    "update norm", "critical sharpness", "gradient curvature", "effective sharpness",
}  # fmt: skip


class Everything(nn.Module):
    """Dropout, batch statistics, tied weights, a frozen layer, a late buffer, numbers drawn from everywhere."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Linear(6, 6)
            self.tied = nn.Linear(6, 6)
            self.tied.weight = self.first.weight
            self.frozen = nn.Linear(6, 6).requires_grad_(False)
            self.norm = nn.BatchNorm1d(6)
            self.drop = nn.Dropout(0.3)
            self.last = nn.Linear(6, 3)
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mask", None)
        self.draws = []

    def forward(self, x):
        if self.training:
            self.passes += 1
        if self.mask is None:
            self.mask = torch.ones(6)
        x = torch.tanh(self.norm(self.first(x))) * self.mask
        x = x + 0.01 * random.random() + 0.01 * float(np.random.rand())  # noqa: NPY002
        return self.last(self.drop(torch.tanh(self.frozen(self.tied(x)))))


def parameters_of(model):
    return [p for p in model.parameters() if p.requires_grad]


def groups(model):
    own = parameters_of(model)
    return [{"params": own[:2], "lr": 0.02}, {"params": own[2:], "weight_decay": 0.01}]


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adam, largest": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "nadam": lambda p: optim.NAdam(p, lr=0.01),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01),
    "unknown to us": lambda p: optim.Rprop(p, lr=0.01),
}
if hasattr(optim, "Muon"):
    OPTIMIZERS["muon"] = lambda p: optim.Muon([t for t in p if t.ndim == 2], lr=0.01)


def seed():
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002


def trained(
    watched,
    make,
    *,
    model=Everything,
    criterion=None,
    accumulate=1,
    clip=None,
    schedule=None,
    autocast=None,
    set_to_none=True,
    batches=True,
    hand_over=False,
    steps=STEPS,
):
    """Everything that a training leaves behind, and the watch."""
    seed()
    model, criterion = model(), criterion or nn.CrossEntropyLoss()
    probe = digits_like(18)
    optimizer = make(model)
    scheduler = schedule(optimizer) if schedule else None
    watch = Watch(model, optimizer, criterion, probe, 1.0) if watched else None
    hooks = []
    losses = []
    for _ in range(steps):
        for _ in range(accumulate):
            rows = torch.randperm(18)[:9] if batches else torch.arange(18)
            batch = probe[0][rows], probe[1][rows]
            with autocast() if autocast else nullcontext():
                loss = criterion(model(batch[0]), batch[1]) / accumulate
            loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if watch is not None:
            if hand_over:
                watch.step(loss, batch)
            else:
                watch.step(loss)
        if scheduler is not None:
            scheduler.step()
        losses.append(loss.item())
        hooks.append(sum(len(held) for m in model.modules() for name, held in vars(m).items() if "_hooks" in name))
        gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        optimizer.zero_grad(set_to_none=set_to_none)
    left = {
        "losses": losses,
        "parameters": [p.detach().clone() for p in model.parameters()],
        "gradients": gradients,
        "no gradients": [p.grad for p in model.parameters()],
        "wants": [p.requires_grad for p in model.parameters()],
        "buffers": {name: b.clone() for name, b in model.named_buffers()},
        "modes": [m.training for m in model.modules()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1:],  # noqa: NPY002
        "python": random.getstate(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "grad": torch.is_grad_enabled(),
        "hooks": hooks,
        "attributes": sorted(vars(model)),
    }
    return left, watch


def same(a, b):
    """Equal to the last bit, nan and the sign of zero included."""
    if isinstance(a, torch.Tensor):
        kind = a.dtype == b.dtype and a.shape == b.shape
        return kind and a.contiguous().numpy().tobytes() == b.contiguous().numpy().tobytes()
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def check(make, *, reads=KINDS, **how):
    without, _ = trained(False, make, **how)
    within, watch = trained(True, make, **how)
    for name, value in without.items():
        assert same(value, within[name]), name
    assert sum(within["hooks"]) == 0
    # Not by having read nothing.
    kinds = {row.kind for row in watch.readings}
    kinds = {"gradient curvature" if kind == "batch sharpness" else kind for kind in kinds}
    assert kinds >= reads
    return watch


@pytest.fixture(autouse=True)
def rich(monkeypatch):
    plenty(monkeypatch)
    # The check of types in the tests looks at random items of a list, with the random numbers of Python.
    with as_a_user_types():
        yield


def test_the_comparison_sees_one_bit():
    a = torch.tensor([0.0, 1.0, torch.nan])
    assert same(a, a.clone())
    assert not same(a, torch.tensor([-0.0, 1.0, torch.nan]))
    assert not same(a, a.nextafter(torch.tensor(2.0)))
    without, _ = trained(False, lambda m: optim.SGD(parameters_of(m), lr=0.1))
    moved, _ = trained(False, lambda m: optim.SGD(parameters_of(m), lr=0.1 * (1 + 2**-20)))
    assert not same(without["parameters"], moved["parameters"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser(name):
    reads = KINDS
    if name == "unknown to us":
        reads = {"update norm", "critical sharpness"}
        with pytest.warns(UserWarning, match="without the gradient curvature"):
            check(lambda m: OPTIMIZERS[name](parameters_of(m)), reads=reads)
        return
    check(lambda m: OPTIMIZERS[name](parameters_of(m)), reads=reads)


HOW = {
    "all parameters, the frozen ones too": {"make": lambda m: optim.AdamW(m.parameters(), lr=0.01)},
    "several groups": {"make": lambda m: optim.SGD(groups(m), lr=0.05, momentum=0.5)},
    "accumulation": {"accumulate": 3},
    "clipping": {"clip": 0.05},
    "a scheduler": {"schedule": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 6)},
    "autocast": {"autocast": lambda: torch.autocast("cpu", torch.bfloat16)},
    "gradients set to zero": {"set_to_none": False},
    "batches handed over": {"hand_over": True},
    "full batches": {"batches": False},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_every_way_of_training(how):
    check(**{"make": lambda m: optim.Adam(parameters_of(m), lr=0.01), **how})


def test_the_whole_loop_inside_autocast_or_without_gradients_at_the_end():
    model = mlp()
    batch, criterion = digits_like(), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, criterion, batch, 1.0)
    for _ in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16):
            optimizer.zero_grad()
            loss = criterion(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                watch.step(loss)
            assert torch.is_autocast_enabled("cpu")
            assert torch.is_grad_enabled()
    assert {row.kind for row in watch.readings} >= KINDS


class Replacing(optim.Optimizer):
    """Gives its parameters new memory at every step, as some optimisers in the wild do."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = p.data - group["lr"] * p.grad


def test_parameters_in_new_memory_are_found():
    with pytest.warns(UserWarning, match="without the gradient curvature"):
        watch = check(lambda m: Replacing(parameters_of(m)), reads={"update norm", "critical sharpness"})
    assert len(watch.readings.of("critical sharpness")) >= 5


def test_the_model_can_be_copied_and_stored_before_and_after_the_first_step():
    model, batch = mlp(), digits_like()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with Watch(model, optimizer, nn.CrossEntropyLoss(), batch, 1.0) as watch:
        for _ in range(3):
            file = io.BytesIO()
            torch.save(model, file)
            file.seek(0)
            stored, copied = torch.load(file, weights_only=False), copy.deepcopy(model)
            plain = mlp()
            plain.load_state_dict(model.state_dict())
            for other in (stored, copied):
                assert same(other(batch[0]).detach(), plain(batch[0]).detach())
            assert list(model.state_dict()) == list(plain.state_dict())
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            watch.step(loss)
    assert watch._batch_size == 24  # the copies were not counted


def test_after_closing_nothing_is_left_even_if_it_never_stepped():
    model = mlp()
    with Watch(model, optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), digits_like()):
        pass
    assert not model._forward_pre_hooks
    assert not model._forward_pre_hooks_with_kwargs
