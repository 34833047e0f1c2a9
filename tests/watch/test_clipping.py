"""Clipped gradients: noticed by their norms, and the edge with them."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewise.methods import line_from_torch
from edgewise.watch import Budget, Watch
from edgewise.watch.clipping import Clipping
from edgewise.watch.instrument import Moment
from edgewise.watch.instruments import EffectiveSharpness, GradientCurvature
from edgewise.watch.live import LiveLoss
from reference.watched import digits_like, mlp

MAX = 0.3
CRITERION = nn.CrossEntropyLoss()


def seen(*norms):
    clipping = Clipping()
    for turn, norm in enumerate(norms):
        direction = torch.tensor([math.cos(turn), math.sin(turn)])
        clipping.see([norm * direction, None, torch.zeros(2, 2)])
    return clipping


def test_a_norm_that_comes_again_and_is_never_exceeded_is_the_largest_allowed():
    assert seen(0.3, 0.1, 0.3 * (1 - 1e-6), 0.2, 0.3).max_norm == pytest.approx(0.3)
    assert seen(0.3, 0.3).max_norm is None  # twice is chance
    assert seen(0.3, 0.3, 0.3, 0.31).max_norm is None  # a larger one was let through
    assert seen(0.3, 0.301, 0.302, 0.303).max_norm is None
    assert seen(0.0, 0.0, 0.0).max_norm is None
    assert Clipping().max_norm is None
    # Long ago is not now.
    assert seen(*[0.3] * 5, *[0.4 + 0.01 * i for i in range(20)]).max_norm is None


def test_a_gradient_that_stands_still_is_not_clipped():
    clipping, gradient = Clipping(), torch.tensor([0.3, 0.4])
    for step in range(50):
        clipping.see([gradient * (1 - 1e-5 * step)])
    assert clipping.max_norm is None
    clipping.see([gradient, gradient])  # a layer has joined
    # One that turns is.
    for step in range(3):
        angle = torch.tensor(0.1 * step)
        clipping.see([2.0 * torch.stack([angle.cos(), angle.sin()])])
    assert clipping.max_norm == pytest.approx(2.0)


@pytest.mark.parametrize("overflown", [math.inf, math.nan])
def test_gradients_that_overflow_tell_nothing_of_clipping(overflown):
    assert seen(overflown, 0.3, 0.3, 0.3).max_norm == pytest.approx(0.3)
    assert seen(0.3, 0.3, overflown, 0.3).max_norm == pytest.approx(0.3)
    assert seen(*[overflown] * 5).max_norm is None


def test_what_is_left_is_a_mean_over_gradients():
    assert seen(0.3, 0.3, 0.3).left([0.1, 0.6, 1.2]) == pytest.approx((1 + 0.5 + 0.25) / 3)
    assert seen(0.3, 0.3, 0.3).left([0.0]) == 1.0
    assert seen(0.3, 0.3, 0.3).left([]) == 1.0
    assert seen(0.3, 0.2, 0.1).left([100.0]) == 1.0


class Training:
    """Steps with gradients that are clipped, and a moment after each."""

    def __init__(self, model, criterion, batch, optimizer):
        self.model, self.criterion, self.batch, self.optimizer = model, criterion, batch, optimizer
        self.tensors = list(model.parameters())
        self.live = LiveLoss(model, criterion, batch, dict(model.named_parameters()))
        self.clipping, self.steps = Clipping(), 0

    def step(self):
        self.optimizer.zero_grad()
        self.criterion(self.model(self.batch[0]), self.batch[1]).backward()
        raw = float(nn.utils.clip_grad_norm_(self.tensors, MAX))
        self.optimizer.step()
        self.steps += 1
        return raw

    def moment(self, batch_size=None):
        return Moment(
            step=self.steps, live=self.live, before=None, gradients=[p.grad for p in self.tensors],
            lr=self.optimizer.param_groups[0]["lr"], batch=None, batch_size=batch_size,
            line=lambda: line_from_torch(self.optimizer, self.tensors), clipping=self.clipping,
        )  # fmt: skip


class Valley(nn.Module):
    """½ Σ λᵢ wᵢ², as the loss of a linear model."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, 0.0], dtype=torch.float64))

    def forward(self, x):
        return x @ self.w


@pytest.mark.parametrize("times", [1.5, 7.0])
def test_a_clipped_orbit_is_at_the_edge_at_any_step_size_that_is_too_large(times):
    """w ↦ w − η max sign(w) ends on ±η max/2, where the gradient is λη max/2: the share left is 2/(ηλ)."""
    curvature = 2.0
    rows = torch.tensor([[(2 * curvature) ** 0.5, 0.0], [0.0, 0.1]], dtype=torch.float64)
    model = Valley()
    model.w.data[0] = times / curvature * MAX  # η max/2
    training = Training(
        model, lambda outputs, targets: 0.5 * (outputs - targets).square().mean(),
        (rows, torch.zeros(2, dtype=torch.float64)), torch.optim.SGD(model.parameters(), lr=times * 2 / curvature),
    )  # fmt: skip
    along, across = GradientCurvature(seed=0), EffectiveSharpness(seed=0)
    for _ in range(3):
        training.step()
        (gradient,), (top,) = along.read(training.moment()), across.read(training.moment())
    assert training.clipping.max_norm == pytest.approx(MAX, rel=1e-4)
    assert gradient.ratio == pytest.approx(1.0, rel=1e-4)
    assert top.ratio == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_every_line_of_a_network_is_moved_by_the_share_that_is_left(momentum):
    inputs, labels = digits_like(dtype=torch.float64)
    model = mlp(dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=momentum)
    training = Training(model, CRITERION, (inputs, labels), optimizer)
    plain = Clipping()
    for _ in range(4):
        raw = training.step()
        training.clipping.see([p.grad for p in training.tensors])
        assert raw > MAX
    moment = training.moment(batch_size=6)
    free = replace(moment, clipping=plain)
    norms = []
    for batch in moment.batches(0):
        loss = CRITERION(model(inputs[batch]), labels[batch])
        gradients = torch.autograd.grad(loss, training.tensors)
        norms.append(float(torch.cat([g.reshape(-1) for g in gradients]).norm()))
    share = sum(min(1.0, MAX / norm) for norm in norms) / len(norms)
    assert share < 0.9
    for make in (GradientCurvature, EffectiveSharpness):
        for with_it, without in zip(make(seed=0).read(moment), make(seed=0).read(free), strict=True):
            assert with_it.kind == without.kind
            assert with_it.ratio == pytest.approx(share * without.ratio, rel=1e-4)


def test_a_watch_says_so():
    model = mlp(dtype=torch.float64)
    inputs, labels = digits_like(dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    time = [0.0]

    def clock():
        time[0] += 1e-3
        return time[0]

    watch = Watch(model, optimizer, CRITERION, (inputs, labels), Budget(1.0, clock))
    for _ in range(200):
        optimizer.zero_grad()
        loss = CRITERION(model(inputs), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        optimizer.step()
        time[0] += 1.0
        watch.step(loss)
    assert "its edge at 2/η = 40, higher where gradients are clipped to a norm of 0.01" in str(watch.verdict())
    assert all(row.critical > 40 for row in watch.readings.of("effective sharpness")[3:])
