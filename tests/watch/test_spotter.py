"""Losses are looked at several at a time, but for those that are high; what is dear is done as often as it may."""

import pytest
import torch
from torch import nn

from edgewise.watch import Losses, Watch
from edgewise.watch.budget import Budget, Cadence


def test_a_spike_is_told_at_its_own_step_though_losses_are_looked_at_together() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    inputs, targets = torch.randn(32, 4), torch.randn(32, 2)
    told: list[tuple[int, int]] = []
    now = 0

    def sink(step: int, numbers: object) -> None:
        if "edgewise/spike" in numbers:  # type: ignore[operator]
            told.append((now, step))

    watch = Watch(
        model, optimizer, nn.functional.mse_loss, (inputs, targets), Budget(1e-6, lambda: float(now)), to=sink
    )
    for now in range(120):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        watch.step(50.0 if now == 90 else loss)
    assert told == [(90, 90)]
    assert [report.step for report in watch.spikes] == [90]
    assert watch.losses.step.tolist() == list(range(120))


def test_the_highest_of_late() -> None:
    losses = Losses()
    assert losses.highest(3) == -float("inf")
    for step, loss in enumerate((5.0, 1.0, 3.0, 2.0)):
        losses.add(step, loss)
    assert losses.highest(3) == 3.0
    assert losses.last == 2.0


def test_a_cadence_takes_its_part_of_the_budget() -> None:
    time = 0.0
    budget = Budget(0.1, lambda: time)
    cadence = Cadence(budget, 0.5)
    spent, steps = 0.0, 4000
    for step in range(steps):
        time += 1.0
        budget.begin()
        if cadence.due(step):
            time += 2.0
            spent += 2.0
            cadence.took(step, 2.0)
        budget.end()
    # Half of a tenth of the training, which is one second a step.
    assert spent == pytest.approx(0.05 * steps, rel=0.2)
