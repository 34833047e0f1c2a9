"""The loss of a live model at other weights than its own."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from edgewise.curvature import Hessian
from edgewise.foundation import SettingError
from edgewise.watch import LiveLoss
from reference.bad_settings import as_a_user_types
from reference.watched import dense_hessian, digits_like, mlp

CRITERION = nn.CrossEntropyLoss()


def trainable(model):
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def live_of(model, batch=None, criterion=CRITERION, **how):
    return LiveLoss(model, criterion, digits_like() if batch is None else batch, trainable(model), **how)


def plain(model, batch):
    with torch.no_grad():
        return float(CRITERION(model(batch[0]), batch[1]))


def test_the_present_loss():
    model, batch = mlp(), digits_like()
    live = live_of(model)
    assert live.value_at() == plain(model, batch)
    assert live.samples == 24
    assert live.device == torch.device("cpu")
    assert live.space.names == tuple(name for name, _ in model.named_parameters())


@pytest.mark.parametrize("s", [0.0, 0.3, 1.0, 2.5, -1.0])
def test_the_loss_on_the_way_from_here_to_there(s):
    model, batch, other = mlp(), digits_like(), mlp()
    live = live_of(model)
    old = live.snapshot()
    new = [p + 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)) for i, p in enumerate(old)]
    with torch.no_grad():
        for p, a, b in zip(other.parameters(), old, new, strict=True):
            p.copy_(torch.lerp(a, b, s))
    with live.between(old, new) as loss:
        assert loss(s) == plain(other, batch)
        assert loss(0.0) == plain(model if s == 0.0 else mlp(), batch)  # and back
        assert loss(1.0) == loss(1.0)
    for p, a in zip(model.parameters(), old, strict=True):
        assert torch.equal(p, a)


def test_another_batch_than_the_probe_batch():
    model = mlp()
    inputs, labels = digits_like()
    live = live_of(model)
    own = inputs[:4], labels[:4]
    assert live.value_at(batch=own) == plain(model, own)
    assert live.value_at(batch=list(own)) == plain(model, own)  # as a DataLoader gives it


def test_a_snapshot_goes_into_the_same_memory():
    model = mlp()
    live = live_of(model)
    first = live.snapshot()
    places = [p.data_ptr() for p in first]
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    again = live.snapshot(first)
    assert [p.data_ptr() for p in again] == places
    assert all(torch.equal(a, p) for a, p in zip(again, model.parameters(), strict=True))
    assert live.value_at(again) == live.value_at()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_weights_come_back_after_a_failure(error):
    model = mlp()
    live = live_of(model)
    old = live.snapshot()
    torch.manual_seed(4)
    numbers = torch.get_rng_state()
    with pytest.raises(error), live.between(old, [p * 2 for p in old]) as loss:
        loss(0.7)
        raise error
    assert all(torch.equal(p, a) for p, a in zip(model.parameters(), old, strict=True))
    assert torch.equal(torch.get_rng_state(), numbers)


class Drawing(nn.Module):
    """Noise from every source of it."""

    def __init__(self):
        super().__init__()
        self.inner = mlp()
        self.seen = []

    def forward(self, x):
        drawn = float(torch.rand(())), random.random(), float(np.random.rand())  # noqa: NPY002
        self.seen.append(drawn)
        return self.inner(x) * (1 + sum(drawn))


@pytest.mark.parametrize("seed", [0, 2**40, -1])
def test_every_pass_draws_the_same_numbers_and_the_training_does_not_notice(seed):
    model = Drawing()
    # The check of types in the tests looks at random items of a list, with the random numbers of Python.
    with as_a_user_types():
        live = live_of(model, seed=seed)
        model.seen.clear()
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        values = {live.value_at() for _ in range(3)}
        with live.point() as point:
            assert float(point.value) == pytest.approx(values.copy().pop(), rel=1e-6)
    assert len(values) == 1
    assert len(set(model.seen)) == 1
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


class Late(nn.Module):
    """Makes buffers at its first pass, and counts its passes in another."""

    def __init__(self):
        super().__init__()
        self.inner = mlp()
        self.register_buffer("passes", torch.zeros(()))
        self.register_buffer("table", None)
        self.register_buffer("average", torch.full((6,), -0.0), persistent=False)

    def forward(self, x):
        self.passes += 1
        self.average = 0.9 * self.average + 0.1 * x.mean(0)  # another tensor, not in place
        if self.table is None:
            self.table = torch.ones(6)
        if "more" not in self._buffers:
            self.register_buffer("more", torch.ones(()))
        return self.inner(x * self.table * self.more)


def test_buffers_come_back_and_those_made_late_go():
    model = Late()
    average = model.average
    live = live_of(model)
    live.value_at()
    with live.point() as point:
        point.hvp(torch.ones_like(point.w))
    assert float(model.passes) == 0.0
    assert model.average is average
    assert bool((average == 0).all())
    assert model.table is None
    assert list(model._buffers) == ["passes", "table", "average"]
    model(digits_like()[0])
    live.value_at()
    assert float(model.passes) == 1.0
    assert list(model._buffers) == ["passes", "table", "average", "more"]


def test_the_hessian_of_a_live_model_with_everything_in_it():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(2)
            self.first, self.tied, self.frozen = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)
            self.tied.weight = self.first.weight
            self.frozen.requires_grad_(False)
            self.scale = nn.Parameter(torch.ones(6))
            self.last = nn.Linear(6, 3)

        def forward(self, x):
            x = torch.tanh(self.tied(torch.tanh(self.first(x))))
            # Written out: the reference goes forward over reverse, which the layer of PyTorch gets wrong.
            x = self.scale * (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt()
            return self.last(torch.tanh(self.frozen(x)))

    model, batch = Mixed().double(), digits_like(dtype=torch.float64)
    live = live_of(model, batch)
    gradient, H = dense_hessian(model, CRITERION, batch)
    with live.point() as point:
        torch.testing.assert_close(point.gradient, gradient, rtol=1e-9, atol=1e-12)
        own = Hessian.at(point) @ torch.eye(len(H), dtype=torch.float64)
    torch.testing.assert_close(own, H, rtol=1e-9, atol=1e-10)
    assert all(p.grad is None for p in model.parameters())
    # A part of the parameters, and of the samples.
    sizes = [p.numel() for p in trainable(model).values()]
    kept = (0, 3)
    where = torch.cat([torch.arange(sum(sizes[:i]), sum(sizes[: i + 1])) for i in kept])
    _, H = dense_hessian(model, CRITERION, (batch[0][:7], batch[1][:7]))
    with live.point(torch.arange(7), kept) as point:
        own = Hessian.at(point) @ torch.eye(len(where), dtype=torch.float64)
    torch.testing.assert_close(own, H[where][:, where], rtol=1e-9, atol=1e-10)
    assert live.part(kept).names == (live.space.names[0], live.space.names[3])


def test_second_derivatives_are_in_full_precision_whatever_is_around():
    model = mlp()
    live = live_of(model, autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    with live.point() as point:
        alone = point.hvp(torch.ones_like(point.w))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad(), live.point() as point:
        inside = point.hvp(torch.ones_like(point.w))
    assert torch.equal(alone, inside)


def test_forward_passes_are_in_the_autocast_of_the_training():
    model, batch = mlp(), digits_like()
    live = live_of(model)
    full = live.value_at()
    live.use_autocast(lambda: torch.autocast("cpu", torch.bfloat16))
    with torch.autocast("cpu", torch.bfloat16):
        half = plain(model, batch)
    assert live.value_at() == half != full
    assert not torch.is_autocast_enabled("cpu")


def test_casts_of_weights_that_were_kept_are_not_used_for_others():
    # Under one autocast PyTorch casts a weight once, and keeps that.
    model = mlp()
    live = live_of(model, autocast=lambda: torch.autocast("cpu", torch.bfloat16))
    old = live.snapshot()
    with torch.autocast("cpu", torch.bfloat16):
        model(digits_like()[0])
        with live.between(old, [p * 3 for p in old]) as loss:
            inside = loss(0.0), loss(1.0)
        back = plain(model, digits_like())
    with live.between(old, [p * 3 for p in old]) as loss:
        assert inside == (loss(0.0), loss(1.0))
    assert inside[0] != inside[1]
    assert back == inside[0]


@pytest.mark.parametrize(
    ("dtype", "autocast", "rounding"),
    [
        (torch.float32, None, 2.0**-23),
        (torch.float64, None, 2.0**-52),
        (torch.bfloat16, None, 2.0**-7 / 24**0.5),
        (torch.float32, torch.bfloat16, 2.0**-7 / 24**0.5),
    ],
)
def test_rounding_is_that_of_the_precision_in_use(dtype, autocast, rounding):
    model = mlp(dtype=dtype)
    how = {} if autocast is None else {"autocast": lambda: torch.autocast("cpu", autocast)}
    assert live_of(model, digits_like(dtype=dtype), **how).rounding == pytest.approx(rounding)


def test_parameters_in_half_precision_have_a_loss_and_no_hessian():
    model = mlp(dtype=torch.bfloat16)
    batch = digits_like(dtype=torch.bfloat16)
    live = live_of(model, batch)
    assert not live.differentiable_twice
    assert live.value_at() == plain(model, batch)
    words = r"^second derivatives with parameters of torch\.bfloat16: .*autocast"
    with pytest.raises(SettingError, match=words), live.point():
        pass


def test_a_tensor_for_each_parameter_as_one_vector():
    model = mlp()
    live = live_of(model)
    tensors = [torch.full_like(p, i) for i, p in enumerate(model.parameters())]
    tensors[1] = None
    expected = [torch.full((p.numel(),), 0.0 if i == 1 else float(i)) for i, p in enumerate(model.parameters())]
    assert torch.equal(live.flat(tensors), torch.cat(expected))


def test_inputs_in_a_tuple_or_a_dict():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp()

        def forward(self, x, scale):
            return scale * self.inner(x)

    x, y = digits_like()
    model, scale = Pair(), torch.tensor(2.0)
    by_place = live_of(model, ((x, scale), y))
    by_name = live_of(model, ({"scale": scale, "x": x}, y))
    assert by_place.value_at() == by_name.value_at() == CRITERION(2 * model.inner(x), y).item()
    assert by_place.samples == by_name.samples == 24  # a number is no sample
    with by_name.point(torch.arange(5)) as point:
        assert float(point.value) == pytest.approx(CRITERION(2 * model.inner(x[:5]), y[:5]).item(), rel=1e-6)


def test_targets_with_the_tokens_of_all_samples_in_one_row():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp(dtype=torch.float64)

        def forward(self, x):
            return self.inner(x).flatten(0, 1)  # (samples × tokens, classes)

    x = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(20) % 3
    model = Tokens()
    live = live_of(model, (x, y))
    assert live.samples == 5
    some = torch.tensor([3, 0])
    for indices, part in ((None, (x, y)), (some, (x[some], y.view(5, 4)[some].reshape(-1)))):
        gradient, H = dense_hessian(model, CRITERION, part)
        with live.point(indices) as point:
            torch.testing.assert_close(point.gradient, gradient, rtol=1e-9, atol=1e-12)
            torch.testing.assert_close(point.hvp(gradient), H @ gradient, rtol=1e-9, atol=1e-12)


def test_parameters_that_get_new_memory_are_looked_up_anew():
    model, batch = mlp(), digits_like()
    live = live_of(model)
    for p in model.parameters():
        p.data = p.data * 2
    assert live.value_at() == plain(model, batch)
    with live.point() as point:
        assert float(point.value) == pytest.approx(plain(model, batch), rel=1e-6)


def test_weights_that_are_not_finite():
    model = mlp()
    live = live_of(model)
    assert live.finite
    with torch.no_grad():
        model[0].weight[0, 0] = torch.inf
    assert not live.finite
