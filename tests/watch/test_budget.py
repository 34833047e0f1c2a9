"""The budget against a clock that the test moves, so that every second is known."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.watch.budget import Budget, Cadence, share_of
from reference.bad_settings import as_a_user_types


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Loop:
    """A training loop and its watch, as far as a budget sees them: seconds, and readings that cost some."""

    def __init__(self, share, costs, weights, guesses=None, answer=1e-6):
        self.clock = Clock()
        self.budget = Budget(share, self.clock)
        self.costs, self.weights, self.answer = costs, weights, answer
        self.spent = dict.fromkeys(costs, 0.0)
        self.count = dict.fromkeys(costs, 0)
        self.true_training = 0.0
        self.own = 0.0
        self._armed = None
        for name in costs:
            budgeted = costs if guesses is None else guesses
            self.budget.expect(name, budgeted[name] if guesses is not None else self._cost(name))

    def step(self, seconds=1.0, trained=None):
        self.clock.now += seconds
        self.true_training += seconds if trained is None else trained
        began = self.clock.now
        self.budget.begin()
        self.clock.now += self.answer
        if self._armed is not None:
            name, self._armed = self._armed, None
            cost = self._cost(name)
            self.clock.now += cost
            self.spent[name] += cost
            self.count[name] += 1
            self.budget.charge(name, cost)
            self.budget.expect(name, self._cost(name))
        if not self.budget.asleep:
            self._armed = self.budget.next(self.weights)
        self.budget.end()
        self.own += self.clock.now - began
        return self

    def _cost(self, name):
        cost = self.costs[name]
        return cost(self.count[name]) if callable(cost) else cost


WEIGHTS = {"dear": 0.4, "middling": 0.4, "cheap": 0.2}
COSTS = {
    "all alike": {"dear": 2.0, "middling": 2.0, "cheap": 2.0},
    "dear and cheap": {"dear": 8.0, "middling": 1.0, "cheap": 0.4},
    "all dear": {"dear": 9.0, "middling": 6.0, "cheap": 3.0},
    "cold at first": {
        "dear": lambda n: 2.0 if n else 16.0,
        "middling": lambda n: 0.5 if n else 4.0,
        "cheap": 0.4,
    },
    "growing": {"dear": lambda n: 1.0 + 0.1 * n, "middling": 1.0, "cheap": 0.4},
}


@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS)
def test_the_share_is_kept_within_a_third(share, costs):
    loop = Loop(share, costs, WEIGHTS)
    for _ in range(500):
        loop.step()
    kept = loop.own / loop.true_training
    assert share * 2 / 3 < kept < share * 4 / 3
    assert loop.budget.kept == pytest.approx(kept, rel=0.02)  # the first step of all is not seen
    assert all(loop.count.values())


def test_a_cheap_reading_that_came_first_leaves_the_credit_to_those_that_wait():
    clock = Clock()
    budget = Budget(0.25, clock)
    budget.expect("reading", 2.0)
    budget.charge("norms", 1e-6)
    turns = []
    for _ in range(8):
        budget.begin()
        turns.append(budget.next({"reading": 1.0}))
        budget.end()
        clock.now += 1.0
    # 2 s are a third more than a quarter of 6 s.
    assert turns == [None] * 6 + ["reading"] * 2


def test_a_pause_is_no_training_that_could_be_spent():
    loop = Loop(0.1, {"reading": 1.0}, {"reading": 1.0})
    for _ in range(200):
        loop.step()
    before = loop.own
    loop.step(seconds=1e6, trained=1.0)  # a night
    for _ in range(100):
        loop.step()
    # 101 seconds of training and ten usual steps for the pause pay for eleven readings.
    assert loop.own - before <= 0.1 * 111 + 1.0 + 1e-3
    assert loop.budget.kept == pytest.approx(0.1, rel=0.1)


def test_time_that_the_device_still_trained_is_training():
    clock = Clock()
    budget = Budget(0.5, clock)
    budget.begin()
    budget.end()
    clock.now += 1.0
    budget.begin()
    clock.now += 4.0
    budget.waited()
    clock.now += 0.5
    budget.end()
    assert (budget.training, budget.own) == (5.0, 0.5)
    assert budget.kept == pytest.approx(0.1)


def test_several_steps_at_once_are_as_good_as_one_by_one():
    by_one, by_four = Clock(), Clock()
    one, four = Budget(0.1, by_one), Budget(0.1, by_four)
    for budget in (one, four):
        budget.begin()
        budget.end()
    for _ in range(10):
        by_four.now += 8.0
        four.begin(4)
        four.end()
        for _ in range(4):
            by_one.now += 2.0
            one.begin()
            one.end()
    assert one.usual == four.usual == 2.0
    assert one.training == four.training == 80.0
    by_four.now += 1e6  # a night among four steps
    four.begin(4)
    assert four.training == 80.0 + (3 + 10) * 2.0


def test_nothing_is_kept_before_there_is_training():
    assert Budget(0.03).kept == 0.0
    assert Budget(0.03).next({}) is None


@pytest.mark.parametrize(("share", "first", "second"), [(0.02, 113, 300), (0.3, 8, 20), (1.0, 3, 6)])
def test_the_first_reading_is_on_credit_and_paid_back_before_the_second(share, first, second):
    loop = Loop(share, {"reading": 3.0}, {"reading": 1.0}, answer=0.0)
    while not loop.count["reading"]:
        loop.step()
    # Chosen once 3 s are no more than 4/3 of the share, and read at the step after that.
    assert first <= loop.budget.training <= first + 1
    assert loop.budget.kept <= share * 4 / 3
    while loop.count["reading"] < 2:
        loop.step()
    assert second <= loop.budget.training <= second + 1


def test_a_dear_reading_that_nobody_expected_is_paid_back_too():
    loop = Loop(0.05, {"reading": lambda n: 1.0 if n else 100.0}, {"reading": 1.0}, guesses={"reading": 0.01})
    while loop.count["reading"] < 2:
        loop.step()
    assert loop.true_training >= 101.0 / 0.05


def test_asleep_until_something_can_be_afforded():
    loop = Loop(0.1, {"reading": 1.0}, {"reading": 1.0}, answer=0.0)
    for _ in range(50):
        loop.step()
        awake = not loop.budget.asleep
        if awake and loop.count["reading"]:
            assert loop._armed or loop.budget.affords("reading")
    assert loop.count["reading"] in (4, 5)


@settings(max_examples=15)
@given(
    share=st.floats(0.005, 1.0),
    costs=st.lists(st.floats(1e-3, 5.0), min_size=1, max_size=4),
    weights=st.lists(st.floats(0.05, 1.0), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
def test_known_costs_never_go_over_and_nobody_starves(share, costs, weights, seed):
    names = [str(i) for i in range(len(costs))]
    cost = dict(zip(names, costs, strict=True))
    weight = dict(zip(names, weights, strict=False))
    loop = Loop(share, cost, weight, answer=0.0)
    unspent = 0
    credit = 4 / 3 * share
    for seconds in np.random.default_rng(seed).uniform(0.01, 3.0, 100):
        loop.step(float(seconds))
        budget = loop.budget
        # Over the share by no more than a third, and that by the first reading alone.
        assert budget.own <= credit * budget.training + 1e-9
        if budget.own > share * budget.training + 1e-9:
            assert sum(loop.count.values()) == 1
        idle = budget.own + max(costs) < share * budget.training and loop._armed is None
        unspent = unspent + 1 if idle and any(loop.count.values()) else 0
        assert unspent <= 1  # what can be afforded is taken
    # Weighted fair queueing: two that both wait are never further apart than one reading of each.
    for a in names:
        for b in names:
            apart = loop.spent[a] / weight[a] - loop.spent[b] / weight[b]
            assert apart <= cost[a] / weight[a] + cost[b] / weight[b] + 1e-9


@settings(max_examples=12)
@given(
    share=st.floats(0.01, 0.5),
    answer=st.floats(0.0, 0.3),
    dearer=st.lists(st.floats(1.0, 1.75), min_size=1, max_size=7),
    seed=st.integers(0, 1000),
)
def test_costs_and_steps_that_vary_leave_the_share_kept_within_a_third(share, answer, dearer, seed):
    # A step takes 0.5 to 1.5 s, a reading up to 1.75 times what another did, an answer up to 0.3 of the share.
    cost = {"reading": lambda n: 5.0 * dearer[n % len(dearer)], "cheap": lambda n: dearer[-1 - n % len(dearer)]}
    loop = Loop(share, cost, {"reading": 0.6, "cheap": 0.4}, answer=answer * share)
    numbers = np.random.default_rng(seed)
    while sum(loop.count.values()) < 8 or loop.true_training < 1000:
        loop.step(float(numbers.uniform(0.5, 1.5)))
        # Three of a kind have gone by: what the last one took beyond what was thought is a quarter of all at most.
        if min(loop.count.values()) >= 3:
            assert loop.own <= 4 / 3 * share * loop.true_training
    assert loop.own >= 2 / 3 * share * loop.true_training


def test_a_part_of_the_budget_is_kept_too():
    clock = Clock()
    budget = Budget(0.1, clock)
    budget.expect("cheap", 1.0)
    count = 0
    for _ in range(1000):
        budget.begin()
        if budget.affords("cheap", 0.25):
            clock.now += 1.0
            budget.charge("cheap", 1.0)
            count += 1
        budget.end()
        clock.now += 1.0
    assert count == 24  # 0.25 × 0.1 × 999 s


def test_what_goes_by_at_every_step_is_what_was_not_charged():
    clock = Clock()
    budget = Budget(0.1, clock)
    budget.begin()
    clock.now += 3.0
    budget.charge("reading", 2.0)
    assert budget.idle == 1.0
    budget.end()
    assert budget.idle == 1.0


def test_where_nothing_is_wanted_nothing_wakes():
    budget = Budget(0.1, Clock())
    assert budget.next({}) is None
    assert budget.asleep


@pytest.mark.parametrize("first", [0.0, 1.0, 50.0])
def test_a_cadence_forgets_a_first_time_that_was_unusual(first):
    clock = Clock()
    budget = Budget(0.1, clock)
    cadence = Cadence(budget, 0.5)
    done = []
    for step in range(5000):
        budget.begin()
        if cadence.due(step):
            cadence.took(step, 1.0 if done else first)
            done.append(step)
        budget.end()
        clock.now += 1.0
    assert cadence.interval == 20
    assert set(np.diff(done[4:])) == {20}


@pytest.mark.parametrize(
    ("budget", "share"),
    [(0.03, 0.03), ("3%", 0.03), ("0.5 %", 0.005), (" 12.5%", 0.125), (1, 1.0), ("100%", 1.0)],
)
def test_a_budget_is_a_share(budget, share):
    assert share_of(budget) == pytest.approx(share)


@pytest.mark.parametrize(
    "budget", [0, -1, "3", None, True, 2, "", "%", "three%", "0%", "101%", float("nan"), "nan%", "inf%", [0.03]]
)
def test_what_is_no_share_is_refused_in_a_sentence(budget):
    words = re.escape(
        f"budget={budget!r}: it is the share of the training time that watching may cost, above 0 and at most 1. "
        "Type budget=0.03, or budget='3%'."
    )
    with as_a_user_types(), pytest.raises(SettingError, match=f"^{words}$"):
        share_of(budget)
