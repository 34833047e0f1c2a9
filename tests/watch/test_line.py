"""The line that a watch compares with, against closed forms and the live optimiser."""

import pytest
import torch
from torch import nn

from edgewise.watch import Watch
from reference.watched import digits_like, mlp, plenty, train

optim = torch.optim
CRITERION = nn.CrossEntropyLoss()


@pytest.fixture(autouse=True)
def rich(monkeypatch):
    plenty(monkeypatch)


def watched(make, *, steps=24, each=None, model=None):
    model = mlp() if model is None else model
    batch = digits_like()
    optimizer = make(model)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0)
    train(model, optimizer, CRITERION, lambda step: batch, steps, watch, lambda s: each and each(s, optimizer))
    return watch


LR, B, B1 = 0.01, 0.8, 0.7
LINES = {
    "sgd": (lambda p: optim.SGD(p, lr=LR), 2 / LR),
    "sgd and decay": (lambda p: optim.SGD(p, lr=LR, weight_decay=5.0), 2 / LR - 5.0),
    "momentum": (lambda p: optim.SGD(p, lr=LR, momentum=B), (2 + 2 * B) / LR),
    "dampening": (lambda p: optim.SGD(p, lr=LR, momentum=B, dampening=B), (2 + 2 * B) / (1 - B) / LR),
    "nesterov": (lambda p: optim.SGD(p, lr=LR, momentum=B, nesterov=True), (2 + 2 * B) / (1 + 2 * B) / LR),
    "adam": (lambda p: optim.Adam(p, lr=LR, betas=(B1, 0.999)), (2 + 2 * B1) / (1 - B1) / LR),
    "adamw, no decay": (lambda p: optim.AdamW(p, lr=LR, weight_decay=0), (2 + 2 * 0.9) / 0.1 / LR),
    "rmsprop": (lambda p: optim.RMSprop(p, lr=LR), 2 / LR),
    "rmsprop and momentum": (lambda p: optim.RMSprop(p, lr=LR, momentum=B), (2 + 2 * B) / LR),
    "adagrad": (lambda p: optim.Adagrad(p, lr=LR), 2 / LR),
}


@pytest.mark.parametrize("name", LINES)
def test_readings_are_compared_with_the_closed_form(name):
    make, critical = LINES[name]
    watch = watched(lambda model: make(model.parameters()))
    for kind in ("gradient curvature", "effective sharpness"):
        rows = watch.readings.of(kind)
        assert len(rows) > 0
        for row in rows:
            assert row.critical == pytest.approx(critical, rel=1e-9)
            assert row.ratio == row.value / row.critical
    # Along the real update one multiple of it is the edge, whatever the optimiser.
    for row in watch.readings.of("critical sharpness"):
        assert row.critical == pytest.approx(2 / LR)


@pytest.mark.parametrize("after", [True, False])
def test_a_step_size_that_a_scheduler_changes_is_seen_at_once(after):
    def halve(step, optimizer):
        if step >= 14:
            optimizer.param_groups[0]["lr"] = 0.02 * 0.5 ** (step - 13)

    watch = watched(lambda model: optim.SGD(model.parameters(), lr=0.02, momentum=0.5), each=halve)
    rows = [row for row in watch.readings if row.kind in ("gradient curvature", "effective sharpness")]
    assert any(row.step < 14 for row in rows)
    assert any(row.step > 15 for row in rows)
    for row in rows:
        # `each` comes after `watch.step`: the update of step t was made with the step size set after t − 1.
        lr = 0.02 * 0.5 ** max(0, row.step - 14)
        assert row.lr == pytest.approx(lr)
        assert row.critical == pytest.approx(3 / lr)


def test_several_groups_have_one_line():
    def make(model):
        own = list(model.parameters())
        return optim.SGD([{"params": own[:2]}, {"params": own[2:], "lr": 0.04}], lr=0.01)

    watch, one = watched(make), watched(lambda model: optim.SGD(model.parameters(), lr=0.04))
    ratios = watch.readings.of("effective sharpness").column("ratio")
    assert watch.readings.of("effective sharpness")[0].critical == pytest.approx(2 / 0.01)
    # Some of it moves four times as slowly: nearer to the edge than with 0.01 all over, and less than with 0.04.
    assert 0 < ratios.max() < one.readings.of("effective sharpness").column("ratio").max()


def test_a_layer_that_is_frozen_on_the_way_leaves_the_line():
    def freeze(step, optimizer):
        if step == 10:
            for p in optimizer.param_groups[0]["params"][:2]:
                p.requires_grad_(False)
                p.grad = None

    watch = watched(lambda model: optim.SGD(model.parameters(), lr=0.1), steps=40, each=freeze)
    assert watch.readings.of("effective sharpness")[-1].step > 12


def test_an_unused_layer_that_never_gets_a_gradient():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.aside = mlp(), nn.Linear(3, 3)

        def forward(self, x):
            return self.inner(x)

    watch = watched(lambda model: optim.Adam(model.parameters(), lr=0.01), model=Unused())
    assert len(watch.readings.of("effective sharpness")) > 0
    assert len(watch.readings.of("gradient curvature")) > 0


def test_an_optimiser_that_trains_a_part_of_the_model():
    watch = watched(lambda model: optim.Adam(model[0].parameters(), lr=0.01))
    assert len(watch.readings.of("effective sharpness")) > 0


def test_the_verdict_names_the_optimiser_and_its_line():
    words = str(watched(lambda model: optim.SGD(model.parameters(), lr=0.01)).verdict())
    assert "for SGD with its edge at 2/η = 200." in words


def test_a_step_size_of_zero_has_no_edge():
    watch = watched(lambda model: optim.SGD(model.parameters(), lr=0.0))
    assert not len(watch.readings.of("critical sharpness"))
    assert all(row.ratio == 0.0 for row in watch.readings.of("effective sharpness"))
