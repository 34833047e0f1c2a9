"""What ends a process: each event on readings made by hand, and in a run."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.dynamics import Event, NonFinite, Outcome, Readings
from edgewise.foundation import SettingError
from edgewise.objectives import Objective
from reference.runs import bowl, bowl_loss, network


def watch(event: Event, rows: Sequence[Readings]) -> Outcome | None:
    """What the event says of rows 0, 1, …"""
    state: Any = event.init()
    for step, row in enumerate(rows):
        outcome, state = event.check(step, row, state)
        if outcome is not None:
            return outcome
    return None


def losses(*values: float) -> list[Readings]:
    return [{"loss": value} for value in values]


def ratios(*values: float | None) -> list[Readings]:
    return [{} if value is None else {"edge_ratio": [value, 0.1]} for value in values]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite(loss: float) -> None:
    outcome = watch(NonFinite(), losses(1.0, loss))
    assert outcome == Outcome(
        "non-finite", 1, f"Stopped at step 1: the loss is {loss}. The step size is above what the method can bear."
    )
    assert watch(NonFinite(), losses(1.0, 1e300)) is None


def test_divergence_is_relative_to_the_first_loss() -> None:
    outcome = watch(ew.Diverged(100.0), losses(2.0, 200.0, 200.1))
    assert outcome is not None
    assert (outcome.kind, outcome.step) == ("diverged", 2)
    assert outcome.sentence == "Stopped at step 2: diverged, the loss is 200, more than 100 times its start."
    assert watch(ew.Diverged(100.0), [{}, *losses(2.0), {}, *losses(150.0)]) is None
    assert watch(ew.Diverged(10.0), losses(-1.0, -1e9)) is None  # that is a descent
    assert watch(ew.Diverged(10.0), losses(-1.0, 11.0)) is not None


def test_a_start_without_a_loss_is_nothing_to_diverge_from() -> None:
    assert watch(ew.Diverged(10.0), losses(0.0, 1e-20, 1e-9, 5e-9)) is None
    assert watch(ew.Diverged(10.0), losses(0.0, 1e-9, 2e-8)) is not None


def test_goals() -> None:
    outcome = watch(ew.LossBelow(0.5), losses(1.0, 0.5, 0.4))
    assert str(outcome) == "Stopped at step 2: the loss is below 0.5."
    outcome = watch(ew.AccuracyAbove(), [{"accuracy": 0.99}, {}, {"accuracy": 0.995}])
    assert outcome == Outcome("goal", 2, "Stopped at step 2: the accuracy is above 0.99.")


def test_the_edge_is_held_from_its_onset() -> None:
    event = ew.EdgeHeld(3)
    outcome = watch(event, ratios(0.9, 1.01, 0.95, None, 0.85, 1.2))
    assert outcome == Outcome("goal", 4, "Stopped at step 4: the edge has been held since step 1.")
    # Left at step 2, and held anew from step 3.
    outcome = watch(event, ratios(1.0, 0.9, 0.7, 1.1, 1.0, 1.0, 1.0))
    assert outcome is not None
    assert outcome.step == 6
    assert watch(event, ratios(0.99, 0.99, 0.99, 0.99, 0.99)) is None


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (
            lambda: ew.Diverged(1.0),
            "factor=1.0: the loss always reaches itself. Type factor=1e4, or another above 1.",
        ),
        (lambda: ew.EdgeHeld(0), "steps=0: the edge is held for a while. Type steps=1000."),
    ],
)
def test_impossible_events_are_refused(event: Any, sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        event()
    assert str(caught.value) == sentence


def test_a_run_stops_where_the_event_was_seen() -> None:
    expected = bowl_loss([2.0], 0.1, 50)
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, bowl(2.0), 50, until=[ew.LossBelow(0.1)])
    stop = int(np.flatnonzero(expected < 0.1)[0])
    assert run.outcomes["gd"] == Outcome("goal", stop, f"Stopped at step {stop}: the loss is below 0.1.")
    np.testing.assert_allclose(run.loss.values[0], expected[: stop + 1], rtol=1e-12)


def test_a_run_stops_at_the_accuracy_asked_for() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(1.0)}, network(classes=True), 200, until=[ew.AccuracyAbove(0.8)])
    accuracy = run.accuracy.values[0]
    assert accuracy[-1] > 0.8 >= accuracy[:-1].max()
    assert run.outcomes["gd"].kind == "goal"


def test_a_run_stops_once_the_edge_was_held() -> None:
    # ηλ = 2 exactly: the iterate flips for ever, at the edge from the first row on.
    run = ew.evolve({"gd": ew.GradientDescent(0.5)}, bowl(4.0), 50, [ew.Sharpness()], [ew.EdgeHeld(7)])
    assert run.outcomes["gd"].sentence == "Stopped at step 7: the edge has been held since step 0."


def test_without_divergence_among_the_events_a_run_goes_on_until_its_loss_is_not_finite() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(1.0)}, bowl(1e4), 200, until=[])
    outcome = run.outcomes["gd"]
    assert outcome.kind == "non-finite"
    assert np.isinf(run.loss.values[0, -1])
    assert np.isfinite(run.loss.values[0, :-1]).all()


def test_the_first_of_two_reasons_counts() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(1e200)}, bowl(1e4), 5, until=[ew.Diverged()])
    assert run.outcomes["gd"].kind == "non-finite"  # infinite is also more than 1e4 times the start


def test_descending_without_end_is_no_divergence() -> None:
    objective = Objective.from_function(lambda w: -w.sum(), 1, start=torch.tensor([-0.001]))
    run = ew.evolve({"gd": ew.GradientDescent(1.0)}, objective, 30)
    assert run.outcomes["gd"].kind == "finished"
