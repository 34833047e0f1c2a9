"""The scheduler that holds a training at an edge ratio."""

import json
import math
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgewise.curvature import Hessian
from edgewise.foundation import SettingError, generator
from edgewise.linalg import eigenpairs
from edgewise.objectives import Objective
from edgewise.watch import Watch
from edgewise.watch.reading import Kind, Reading
from edgewise.watch.steering import EdgeScheduler

CURVATURE = 50.0


class Known:
    """A watch over a training whose curvature is known: it reads every so many steps."""

    def __init__(self, optimizer: torch.optim.Optimizer, every: int = 1, numerator: float = 2.0) -> None:
        self.optimizer, self.every, self.numerator = optimizer, every, numerator
        self.steps, self.readings = 0, list[Reading]()

    def step(self, curvature: float, kind: Kind = "effective sharpness") -> None:
        lr = float(self.optimizer.param_groups[0]["lr"])
        if self.steps % self.every == 0:
            self.readings.append(
                Reading(
                    step=self.steps, kind=kind, value=curvature, low=curvature, high=curvature,
                    critical=self.numerator / lr, lr=lr, passes=1.0, seconds=0.0,
                )
            )  # fmt: skip
        self.steps += 1


def quadratic(lr: float, **more: Any) -> tuple[Tensor, torch.optim.Optimizer]:
    w = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    return w, torch.optim.SGD([w], lr=lr, **more)


def loss_of(w: Tensor) -> Tensor:
    return (torch.tensor([CURVATURE, 1.0], dtype=torch.float64) * w**2).sum() / 2


def train(
    w: Tensor, optimizer: torch.optim.Optimizer, watch: Known, scheduler: EdgeScheduler, steps: int
) -> list[float]:
    taken = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(w).backward()
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        watch.step(CURVATURE)
        scheduler.step()
    return taken


@pytest.mark.parametrize("lr", [1e-4, 1.0])
@pytest.mark.parametrize(("momentum", "numerator"), [(0.0, 2.0), (0.5, 3.0)])
def test_a_quadratic_is_held_at_the_target(lr: float, momentum: float, numerator: float) -> None:
    w, optimizer = quadratic(lr, momentum=momentum)
    watch = Known(optimizer, every=3, numerator=numerator)
    scheduler = EdgeScheduler(optimizer, watch, 0.7)
    train(w, optimizer, watch, scheduler, 120)
    assert scheduler.get_last_lr() == [pytest.approx(0.7 * numerator / CURVATURE, rel=1e-12)]
    train(w, optimizer, watch, scheduler, 80)
    assert float(loss_of(w.detach())) < 1e-3


def test_no_step_changes_faster_than_allowed() -> None:
    for lr, first in ((1e-4, 1.2), (1.0, 0.25)):
        w, optimizer = quadratic(lr)
        watch = Known(optimizer)
        scheduler = EdgeScheduler(optimizer, watch, growth=1.2, shrink=0.25)
        taken = train(w, optimizer, watch, scheduler, 40)
        changes = [after / before for before, after in pairwise(taken)]
        assert changes[0] == pytest.approx(first)
        assert all(0.25 * (1 - 1e-12) <= change <= 1.2 * (1 + 1e-12) for change in changes)


def test_readings_are_smoothed_in_their_logarithm() -> None:
    _, optimizer = quadratic(0.01)
    watch = Known(optimizer)
    scheduler = EdgeScheduler(optimizer, watch, 0.5, smoothing=0.75, growth=100.0, shrink=0.01)
    optimizer.step()
    for curvature in (50.0, 800.0):
        watch.step(curvature)
        scheduler.step()
    # 0.5 · 2/λ with λ = 50^(3/4) 800^(1/4) = 100.
    assert scheduler.get_last_lr() == [pytest.approx(1 / 100)]


def test_without_fresh_readings_it_holds() -> None:
    _, optimizer = quadratic(1e-4)
    watch = Known(optimizer, every=1000)
    scheduler = EdgeScheduler(optimizer, watch, patience=5)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [1e-4]
    for _ in range(30):
        watch.step(CURVATURE)
        scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(1e-4 * 1.1**5)]


def test_the_best_kind_that_is_still_read_counts() -> None:
    _, optimizer = quadratic(0.01)
    watch = Known(optimizer)
    scheduler = EdgeScheduler(optimizer, watch, 0.5, patience=10, growth=100.0, shrink=0.01)
    optimizer.step()
    watch.step(50.0)
    watch.step(20.0, "critical sharpness")
    scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(1 / 50)]
    for _ in range(10):
        watch.step(20.0, "critical sharpness")
    scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(1 / 20)]
    watch.step(100.0, "batch sharpness")
    scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(1 / 100)]


def test_one_reading_allows_no_more_than_twice_its_step_size() -> None:
    _, optimizer = quadratic(1e-4)
    watch = Known(optimizer, every=1000)
    scheduler = EdgeScheduler(optimizer, watch, patience=1000)
    for _ in range(50):
        optimizer.step()
        watch.step(CURVATURE)
        scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(2e-4)]


def test_kinds_that_say_nothing_of_an_edge_are_passed_over() -> None:
    _, optimizer = quadratic(0.01)
    watch = Known(optimizer)
    scheduler = EdgeScheduler(optimizer, watch)
    optimizer.step()
    watch.step(-3.0)
    watch.step(math.inf)
    watch.step(500.0, "secant curvature")
    watch.step(1.0, "gradient norm")
    scheduler.step()
    assert scheduler.get_last_lr() == [0.01]


def test_bounds_hold() -> None:
    for bounds, lr in (({"min_lr": 0.1}, 0.1), ({"max_lr": 0.02}, 0.02)):
        w, optimizer = quadratic(0.02 if "max_lr" in bounds else 0.1)
        watch = Known(optimizer)
        scheduler = EdgeScheduler(optimizer, watch, **bounds)
        train(w, optimizer, watch, scheduler, 30)
        assert scheduler.get_last_lr() == [pytest.approx(lr)]


def test_groups_keep_their_proportions() -> None:
    w = [torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)]
    optimizer = torch.optim.SGD([{"params": w[:1], "lr": 0.01}, {"params": w[1:], "lr": 0.03}])
    watch = Known(optimizer)
    scheduler = EdgeScheduler(optimizer, watch, growth=10.0)
    optimizer.step()
    watch.step(CURVATURE)
    scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(0.032), pytest.approx(0.096)]
    assert [group["lr"] for group in optimizer.param_groups] == scheduler.get_last_lr()


def test_step_sizes_that_are_tensors_stay_tensors() -> None:
    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=torch.tensor(0.01, dtype=torch.float64))
    watch = Known(optimizer)
    scheduler = EdgeScheduler(optimizer, watch, growth=10.0)
    optimizer.step()
    watch.step(CURVATURE)
    scheduler.step()
    assert isinstance(optimizer.param_groups[0]["lr"], Tensor)
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.032)


def test_a_resumed_training_takes_the_same_steps() -> None:
    """Curvature drifts and readings are rare; the state goes through JSON, the lrs are equal bit by bit."""

    def go(optimizer: Any, watch: Known, scheduler: EdgeScheduler, steps: int) -> list[float]:
        taken = []
        for _ in range(steps):
            optimizer.step()
            watch.step(50.0 + 7 * math.sin(watch.steps))
            scheduler.step()
            taken += scheduler.get_last_lr()
        return taken

    def made() -> tuple[Any, Known, EdgeScheduler]:
        _, optimizer = quadratic(0.05)
        watch = Known(optimizer, every=4)
        return optimizer, watch, EdgeScheduler(optimizer, watch, start=0.01)

    straight = go(*made(), 80)
    optimizer, watch, scheduler = made()
    first = go(optimizer, watch, scheduler, 37)
    states = optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict()))
    resumed, later, again = made()
    resumed.load_state_dict(states[0])
    again.load_state_dict(states[1])
    # A watch that forgot its readings, but not where it is.
    later.steps = watch.steps
    assert first + go(resumed, later, again, 43) == straight
    assert again.last_epoch == 80


class TestWarmup:
    """A network whose first steps, at the full step size, lead upwards."""

    FULL = 1.2

    @staticmethod
    def parts() -> tuple[nn.Module, Tensor, Tensor]:
        rng = generator(0, "warm-up")
        inputs = torch.randn(40, 5, generator=rng)
        targets = torch.randn(40, 1, generator=rng)
        model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape, generator=rng) * (1.0 if p.ndim > 1 else 0.0))
        return model, inputs, targets

    def losses(self, *, steered: bool, steps: int = 60) -> tuple[list[float], list[float]]:
        model, inputs, targets = self.parts()
        optimizer = torch.optim.SGD(model.parameters(), lr=self.FULL)
        watch = Known(optimizer)
        scheduler = EdgeScheduler(optimizer, watch, start=0.005) if steered else None
        objective = Objective.from_module(model, nn.MSELoss(), (inputs, targets))
        losses, taken = [], []
        for _ in range(steps):
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            losses.append(loss.item())
            optimizer.step()
            if scheduler:
                w = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
                pairs = eigenpairs(Hessian(objective, w), k=1, rtol=0.05)
                watch.step(float(pairs.values[0]))
                scheduler.step()
                taken += scheduler.get_last_lr()
        return losses, taken

    def test_it_rises_without_a_spike(self) -> None:
        losses, taken = self.losses(steered=True)
        assert max(losses) == losses[0]
        assert losses[-1] < losses[0] / 5
        assert taken[-1] > 10 * 0.005 * self.FULL
        assert max(taken) <= self.FULL

    def test_a_real_watch_steers_it(self) -> None:
        """What is read when depends on the clock; that the loss never rises does not."""
        model, inputs, targets = self.parts()
        optimizer = torch.optim.SGD(model.parameters(), lr=self.FULL)
        watch = Watch(model, optimizer, nn.MSELoss(), (inputs, targets), budget=0.5)
        scheduler = EdgeScheduler(optimizer, watch, start=0.005)
        losses = []
        for _ in range(60):
            loss = nn.functional.mse_loss(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            scheduler.step()
            losses.append(loss.item())
            time.sleep(0.005)  # as long as a step takes that is worth watching
        assert max(losses) == losses[0]
        assert 0.005 * self.FULL < scheduler.get_last_lr()[0] <= self.FULL

    def test_without_it_there_is_one(self) -> None:
        losses, _ = self.losses(steered=False)
        worst = max(losses)
        assert not math.isfinite(worst) or worst > 2 * losses[0]


def test_the_full_step_size_ends_a_warm_up() -> None:
    _, optimizer = quadratic(0.02)
    watch = Known(optimizer)
    scheduler = EdgeScheduler(optimizer, watch, start=0.1)
    assert scheduler.get_last_lr() == [pytest.approx(0.002)]
    optimizer.step()
    for _ in range(40):
        watch.step(1.0)
        scheduler.step()
    assert scheduler.get_last_lr() == [0.02]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"target": 1.0}, "target=1.0: it is an edge ratio, and at 1 stability is lost. Type target=0.8."),
        ({"start": 1.0}, "start=1.0: a warm-up begins with a share of the step size. Type start=0.01."),
        ({"growth": 1}, "growth=1: the step size rises by it. Type growth=1.1."),
        ({"shrink": 0.0}, "shrink=0.0: the step size falls by it. Type shrink=0.5."),
        ({"smoothing": 1.0}, "smoothing=1.0: it is a weight in [0, 1). Type smoothing=0.5."),
        ({"patience": 0}, "patience=0: a reading counts for at least one step. Type patience=100."),
        (
            {"min_lr": -1.0},
            "min_lr=-1.0 and max_lr=inf: no step size lies between them. Type min_lr=0, or max_lr=0.2.",
        ),
        (
            {"min_lr": 0.2, "start": 0.1},
            "min_lr=0.2 and max_lr=0.1: no step size lies between them. Type min_lr=0, or max_lr=0.2.",
        ),
        ({"min_lr": 0.3, "max_lr": 0.2}, "min_lr=0.3 and max_lr=0.2: no step size lies between them."),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], sentence: str) -> None:
    _, optimizer = quadratic(0.1)
    with pytest.raises(SettingError) as refused:
        EdgeScheduler(optimizer, Known(optimizer), **settings)
    assert str(refused.value).startswith(sentence)


def test_a_first_group_that_stands_still_is_refused() -> None:
    _, optimizer = quadratic(0.0)
    with pytest.raises(
        SettingError, match="a first param group with lr=0: the step sizes of all groups are scaled"
    ):
        EdgeScheduler(optimizer, Known(optimizer))


def test_what_is_no_watch_or_optimiser_is_refused() -> None:
    """The hook of the tests refuses them first, so the checks are called by themselves."""
    from edgewise.watch.steering import _check, _full

    with pytest.raises(SettingError, match="a watch of type SimpleNamespace: steering follows the readings"):
        _check(SimpleNamespace(steps=1), 0.8, None, 1.1, 0.5, 0.5, 100)
    with pytest.raises(SettingError, match="an optimiser of type SimpleNamespace: only one of torch"):
        _full(SimpleNamespace(param_groups=[]))
