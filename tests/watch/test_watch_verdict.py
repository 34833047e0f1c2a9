"""The verdict: on readings made up for each phase, and on real runs."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from edgewise.data import Digits
from edgewise.watch import Losses, Reading, Readings, Watch, judge
from reference.watched import plenty, train

LR = 0.1


def rows(ratios, *, kind="effective sharpness", start=80, every=1, spread=0.0, lr=LR):
    """Readings at these edge ratios, the critical curvature being 2/η."""
    critical = 2 / lr
    return [
        Reading(
            step=start + every * i, kind=kind, value=critical * ratio, low=critical * (ratio - spread),
            high=critical * (ratio + spread), critical=critical, lr=lr, passes=9.0, seconds=0.1,
        )
        for i, ratio in enumerate(ratios)
    ]  # fmt: skip


def falling(steps=100):
    losses = Losses()
    for step in range(steps):
        losses.add(step, 1.0 / (1 + step))
    return losses


def verdict(ratios, *, losses=None, step=100, lr=LR, small_batches=False, **how):
    return judge(
        Readings(rows(ratios, **how)), losses or falling(), step, lr, small_batches=small_batches, optimizer="SGD"
    )


@pytest.mark.parametrize(
    ("ratio", "phase"),
    [
        (0.01, "stable"), (0.5, "stable"), (0.899, "stable"), (0.9, "at the edge"), (1.0, "at the edge"),
        (1.25, "at the edge"), (1.26, "beyond the edge"), (50.0, "beyond the edge"), (-0.3, "stable"),
    ],
)  # fmt: skip
def test_the_phase_of_a_ratio_that_stays(ratio, phase):
    found = verdict([ratio] * 10)
    assert found.phase == phase
    assert found.edge_ratio == pytest.approx(ratio)
    assert (found.low, found.high) == (pytest.approx(ratio), pytest.approx(ratio))
    assert found.steps_to_edge is None
    assert found.rests_on == "effective sharpness"
    assert len(found.evidence) == 10


def test_a_ratio_that_rises_is_sharpening_and_says_when_it_is_there():
    found = verdict(np.linspace(0.30, 0.49, 20))
    assert found.phase == "sharpening"
    assert found.trend == pytest.approx(0.01)
    # The present ratio is the median of the last five: 0.47, and 0.53 are 53 steps.
    assert found.edge_ratio == pytest.approx(0.47)
    assert found.steps_to_edge in (53, 54)
    assert found.margin == pytest.approx(1 / 0.47)
    assert str(found) == (
        "Sharpening at step 100: below the edge of stability, and reaching it in about "
        f"{found.steps_to_edge} steps at this rate. "
        "It rests on the effective sharpness: 5 readings up to step 99, edge ratio 0.47 (0.46 to 0.48), for SGD. "
        "As things stand the step size could be 2.1 times as large."
    )


@pytest.mark.parametrize(
    "ratios",
    [
        np.linspace(0.49, 0.30, 20),  # it falls
        [0.4 + 0.1 * (-1) ** i for i in range(20)],  # it goes up and down
        0.4 + 1e-5 * np.arange(20),  # it would take longer by far than the run has lasted
        [0.3, 0.4, 0.5, 0.6],  # too few for a trend
    ],
    ids=["falls", "alternates", "slow", "few"],
)
def test_no_forecast_without_a_trend_that_is_sure(ratios):
    found = verdict(ratios)
    assert found.phase == "stable"
    assert found.steps_to_edge is None
    assert "not approaching it" in str(found)


def test_a_noisy_ratio_that_rises_is_still_seen():
    numbers = np.random.default_rng(0)
    found = verdict(np.linspace(0.2, 0.6, 20) + 0.03 * numbers.normal(size=20))
    assert found.phase == "sharpening"
    assert 10 < found.steps_to_edge < 40  # 0.42 at 0.021 a step


def test_the_present_is_a_median_that_one_wild_reading_does_not_move():
    assert verdict([0.5] * 9 + [40.0]).phase == "stable"
    assert verdict([0.5] * 9 + [math.inf]).phase == "stable"
    assert verdict([1.0] * 8 + [0.1, 9.0]).phase == "at the edge"


def test_readings_that_reach_from_one_side_to_the_other_tell_nothing():
    found = verdict([0.9] * 5, spread=0.6, kind="batch sharpness", small_batches=True)
    assert found.phase == "cannot tell"
    assert str(found).startswith(
        "Cannot tell at step 100: the readings reach from 0.30 to 1.50 of the critical curvature."
    )
    assert verdict([0.5] * 5, spread=0.3).phase == "stable"
    assert verdict([1.0] * 5, spread=0.2).phase == "at the edge"
    assert verdict([0.9], spread=math.inf).phase == "cannot tell"


def test_without_readings_nothing_can_be_told():
    found = judge(Readings(), falling(), 100, LR, small_batches=False)
    assert found.phase == "cannot tell"
    assert (found.edge_ratio, found.low, found.high, found.margin, found.rests_on) == (None,) * 5
    assert found.evidence == ()
    assert str(found) == "Cannot tell at step 100: no curvature could be read yet within the budget."
    empty = judge(Readings(), Losses(), 0, LR, small_batches=False)
    assert empty.phase == "cannot tell"


def test_norms_and_secants_are_no_evidence():
    assert verdict([3.0] * 5, kind="secant curvature").phase == "cannot tell"
    assert verdict([3.0] * 5, kind="update norm").phase == "cannot tell"


ORDER = ["batch sharpness", "effective sharpness", "critical sharpness", "gradient curvature"]


def test_it_rests_on_the_best_kind_that_there_is():
    for i, best in enumerate(ORDER):
        table = Readings([row for kind in ORDER[i:] for row in rows([0.5] * 5, kind=kind)])
        found = judge(table, falling(), 100, LR, small_batches=True)
        assert found.rests_on == best
        assert {row.kind for row in found.evidence} == {best}
        # Of a direction alone nothing follows for the step size.
        assert (found.margin is not None) == (best in ("effective sharpness", "batch sharpness"))


@pytest.mark.parametrize(("along", "across", "best"), [(0.5, 0.6, "mean-square"), (0.6, 0.5, "batch")])
def test_small_batches_rest_on_what_is_nearer_to_its_edge(along, across, best):
    of_kinds = {"batch sharpness": along, "mean-square sharpness": across, "effective sharpness": 1.1}
    table = Readings([row for kind, ratio in of_kinds.items() for row in rows([ratio] * 5, kind=kind)])
    found = judge(table, falling(), 100, LR, small_batches=True)
    assert (found.rests_on, found.edge_ratio) == (f"{best} sharpness", pytest.approx(0.6))
    assert found.margin == pytest.approx(1 / 0.6)


def test_old_readings_give_way_to_fresh_ones_of_another_kind():
    table = Readings([*rows([0.2] * 5, start=10), *rows([1.0] * 5, kind="critical sharpness", start=190)])
    found = judge(table, falling(), 200, LR, small_batches=False)
    assert (found.rests_on, found.phase) == ("critical sharpness", "at the edge")
    # A hundred steps are not old.
    table = Readings([*rows([0.2] * 5, start=96), *rows([1.0] * 5, kind="critical sharpness", start=190)])
    assert judge(table, falling(), 200, LR, small_batches=False).rests_on == "effective sharpness"


def test_one_direction_alone_says_so():
    stable = "It looks in one direction only: another may be nearer to its edge."
    assert stable in str(verdict([0.2] * 5, kind="critical sharpness"))
    assert stable not in str(verdict([0.2] * 5))
    assert stable not in str(verdict([1.0] * 5, kind="critical sharpness"))


def test_a_ratio_too_small_for_its_digits_is_not_nothing():
    assert "edge ratio below 0.01 (below 0.01 to 0.02)" in str(verdict([0.004, 0.003, 0.003, 0.02, 0.03]))
    assert "edge ratio -0.30" in str(verdict([-0.3] * 5))


def test_an_old_reading_says_no_more_than_that_the_step_size_was_raised_past_it():
    table = Readings(rows([0.5] * 5, start=10))
    found = judge(table, falling(), 1000, LR, small_batches=False)
    assert found.phase == "cannot tell"
    assert "the last reading is of step 14" in str(found)
    assert [row.step for row in found.evidence] == [14]
    assert judge(table, falling(), 1000, 3 * LR, small_batches=False).phase == "beyond the edge"


def test_updates_that_overshoot_on_other_samples_are_no_evidence_while_the_loss_rests():
    table = Readings(rows([2.0] * 5, kind="critical sharpness", start=90))
    found = judge(table, falling(), 100, LR, small_batches=True)
    assert found.phase == "cannot tell"
    assert "watch.step(loss, batch)" in str(found)
    assert judge(table, falling(), 100, LR, small_batches=False).phase == "beyond the edge"
    assert judge(table, falling(), 100, LR, small_batches=True, own_batches=True).phase == "beyond the edge"
    rising = Losses()
    for step in range(100):
        rising.add(step, 1.0 + step / 50)
    assert judge(table, rising, 100, LR, small_batches=True).phase == "beyond the edge"


def test_readings_at_another_step_size_are_seen_at_the_present_one():
    assert verdict([0.6] * 5, lr=0.1).edge_ratio == pytest.approx(0.6)
    found = verdict([0.6] * 5, lr=0.2)  # doubled since
    assert found.edge_ratio == pytest.approx(1.2)
    assert found.phase == "at the edge"
    assert found.margin == pytest.approx(1 / 1.2)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_has_diverged_whatever_was_read(bad):
    losses = falling(50)
    losses.add(50, bad)
    found = verdict([0.2] * 10, losses=losses)
    assert (found.phase, found.diverged) == ("beyond the edge", 50)
    assert str(found).startswith("Diverged: the loss is not finite at step 50.")
    assert verdict([], losses=losses).phase == "beyond the edge"


def test_a_loss_that_came_back_from_an_overflow_has_not_diverged():
    losses = Losses()
    for step in range(50):
        losses.add(step, math.inf if step == 3 else 1.0 / (1 + step))
    found = verdict([0.2] * 10, losses=losses)
    assert (found.phase, found.diverged) == ("stable", None)
    losses.add(50, math.nan)
    losses.add(51, math.nan)
    assert verdict([0.2] * 10, losses=losses).diverged == 50


def test_a_loss_that_has_blown_up_is_beyond_the_edge():
    losses = Losses()
    for step in range(30):
        losses.add(step, 1.0 if step < 15 else 1.0 * 1.5 ** (step - 15))
    found = verdict([0.2] * 10, losses=losses)
    assert (found.phase, found.diverged) == ("beyond the edge", None)
    assert "a catapult will lower or a divergence end" in str(found)


def test_a_spike_that_is_over_has_not_blown_up():
    losses = Losses()
    for step in range(30):
        losses.add(step, 50.0 if 10 <= step < 13 else 1.0)
    assert verdict([0.2] * 10, losses=losses).phase == "stable"


def test_sentences_at_the_edge():
    assert str(verdict([1.0] * 10)) == (
        "At the edge of stability at step 100: the step size is as large as the curvature allows, and holds the "
        "curvature there. A loss that is not monotone is normal here. It rests on the effective sharpness: 5 "
        "readings up to step 89, edge ratio 1.00 (1.00 to 1.00), for SGD."
    )


def test_one_reading_is_in_the_singular():
    assert "the effective sharpness: 1 reading up to step 80" in str(verdict([0.5]))


@pytest.fixture(scope="module")
def digits():
    data = Digits(n=120).load()
    return data.inputs.reshape(120, -1), data.targets


def run(digits, lr, steps, momentum=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10))
    one_hot = nn.functional.one_hot(digits[1], 10).float()
    batch = digits[0], one_hot

    def criterion(outputs, targets):
        return 0.5 * (outputs - targets).square().sum(1).mean()

    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    watch = Watch(model, optimizer, criterion, batch, 1.0)
    losses = train(model, optimizer, criterion, lambda step: batch, steps, watch)
    return watch.verdict(), losses


def test_a_small_step_size_is_below_the_edge(digits, monkeypatch):
    plenty(monkeypatch)
    found, losses = run(digits, 0.02, 60)
    assert found.phase in ("stable", "sharpening")
    assert found.edge_ratio < 0.7
    assert found.margin > 1.4
    assert np.all(np.diff(losses) < 0)


@pytest.mark.slow
def test_a_good_step_size_is_at_the_edge(digits, monkeypatch):
    plenty(monkeypatch)
    found, losses = run(digits, 0.12, 250)
    assert found.phase == "at the edge"
    assert losses[-1] < losses[0] / 3


@pytest.mark.filterwarnings("ignore:.*not finite:edgewise.watch.WatchWarning")
@pytest.mark.parametrize("lr", [3.0, 30.0])
def test_a_step_size_that_is_far_too_large_is_beyond_the_edge(digits, monkeypatch, lr):
    plenty(monkeypatch)
    found, _ = run(digits, lr, 40)
    assert found.phase == "beyond the edge"


def test_a_margin_that_is_known_badly_is_said_by_its_bound():
    assert "could be 5.0 times as large" in str(verdict([0.2] * 5, spread=0.1))
    assert "could be at least 1.7 times as large" in str(verdict([0.2] * 5, spread=0.4))
    assert "times as large" not in str(verdict([0.2] * 5, spread=0.85))


def test_a_loss_that_has_blown_up_is_what_it_rests_on():
    losses = Losses()
    for step in range(100):
        losses.add(step, 1.0 if step < 90 else 50.0)
    found = verdict([0.5] * 5, losses=losses)
    assert found.phase == "beyond the edge"
    assert "It rests on the loss, which is well above where the run began. Read was the effective sharp" in str(
        found
    )
    assert "It rests on the effective sharpness" in str(verdict([1.5] * 5))
