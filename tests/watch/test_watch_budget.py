"""What a watch costs, with a clock that the test moves and with calls that it counts: nothing here is timed."""

import json
import sys
from itertools import pairwise

import pytest
import torch
from torch import nn

from edgewise.foundation import SettingError
from edgewise.watch import Budget, Watch
from reference.watched import digits_like, mlp


class Clock:
    """A clock that goes on by a little whenever it is looked at, as a computer does that has something to do."""

    def __init__(self, tick=0.0):
        self.now, self.tick, self.looks = 0.0, tick, 0

    def __call__(self):
        self.now += self.tick
        self.looks += 1
        return self.now


class Loop:
    """A training whose steps take a second, a forward pass of the watch included."""

    def __init__(self, share, tick=0.0, passing=1.0, to=()):
        self.model, self.batch = mlp(), digits_like()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3)
        self.clock, self.passing = Clock(tick), passing
        self.watch = Watch(
            self.model, self.optimizer, self.criterion, self.batch, Budget(share, self.clock), to=to
        )
        self.true_training = 0.0

    def criterion(self, outputs, targets):
        self.clock.now += self.passing
        return nn.functional.cross_entropy(outputs, targets)

    def train(self, steps, loss=None):
        inputs, targets = self.batch
        for _ in range(steps):
            self.optimizer.zero_grad()
            own = nn.functional.cross_entropy(self.model(inputs), targets)
            own.backward()
            self.optimizer.step()
            self.clock.now += 1.0
            self.true_training += 1.0
            self.watch.step(own if loss is None else loss)
        return self.watch

    @property
    def curvatures(self):
        return [r for r in self.watch.readings if "norm" not in r.kind and r.kind != "secant curvature"]


def calls(function, *given):
    """How many functions of the watch are called, this one included."""
    count = 0

    def see(frame, event, argument):
        nonlocal count
        count += event == "call" and "/edgewise/watch/" in frame.f_code.co_filename.replace("\\", "/")

    sys.setprofile(see)
    try:
        function(*given)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ["a number", "a tensor"])
def test_a_step_at_which_nothing_is_read_takes_four_calls_and_one_that_is_left_out_takes_one(kind):
    loop = Loop(1e-9, tick=1e-3)
    loop.train(200)
    left_out, quiet = 0, 0
    for _ in range(100):
        loss = loop.watch._spotter._highest if kind == "a number" else torch.tensor(loop.watch._spotter._highest)
        rests, before, step = loop.watch.steps < loop.watch._next, loop.clock.looks, loop.watch.steps
        made = calls(loop.watch.step, loss)
        assert loop.watch.steps == step + 1
        looks = loop.clock.looks - before
        if rests:
            left_out += 1
            assert (made, looks) == (1, 0)
        elif loop.watch._spotter._pending:
            quiet += 1
            # Its own, the two of the budget, and that of the spotter.
            assert (made, looks) == (4, 2)
    # A look takes far more than its share: it is taken at every tenth step, and not more seldom. At one of ten
    # looks all ten losses are gone through.
    assert (left_out, quiet) == (90, 9)


@pytest.mark.parametrize("share", [0.02, 0.1])
@pytest.mark.parametrize("tick", [0.0, 4e-3])
def test_the_share_is_kept_within_a_third(share, tick):
    loop = Loop(share, tick, passing=0.3)
    loop.train(20)  # the looks of the first few steps are all new
    while loop.watch.steps < 500:
        loop.train(20)
        assert loop.watch.cost <= 4 / 3 * share
    assert loop.watch.cost >= 2 / 3 * share
    assert loop.curvatures


@pytest.mark.parametrize(("tick", "stride"), [(0.0, 1), (1e-3, 1), (1e-2, 3), (1.0, 10)])
def test_losses_are_left_out_only_where_to_look_at_them_would_take_a_third_of_the_budget(tick, stride):
    loop = Loop(0.05, tick)
    loop.train(300)
    steps = loop.watch.losses.step.tolist()
    late = [after - before for before, after in pairwise(steps)][-20:]
    assert max(late) <= 10
    # At a reading the steps beside it are looked at too.
    assert sorted(late)[len(late) // 2] == pytest.approx(stride, abs=1 if stride == 3 else 0)
    if stride == 1:
        assert steps == list(range(300))


def test_a_spike_that_lasts_is_found_though_losses_are_left_out():
    told = []
    loop = Loop(
        1e-6, tick=1.0, to=lambda step, numbers: told.append(step) if "edgewise/spike" in numbers else None
    )
    loop.train(800, loss=1.0)
    assert len(loop.watch.losses) < 200
    before = loop.watch.steps
    loop.train(12, loss=50.0)
    assert len(told) == 1
    assert before <= told[0] <= before + 9
    assert loop.watch.spikes[0].step == told[0]


def test_credit_is_given_once_however_often_the_training_is_resumed():
    share, state, readings = 0.1, None, 0
    for _ in range(20):
        loop = Loop(share)
        if state is not None:
            loop.watch.load_state_dict(json.loads(json.dumps(state)))
        for _ in range(25):
            loop.train(1)
            readings = len(loop.curvatures)
            assert loop.watch.cost <= (4 / 3 if readings <= 1 else 1.01) * share
        state = loop.watch.state_dict()
    assert readings >= 3
    assert state["charged_seconds"]["critical sharpness"] > 0


def test_a_state_of_an_older_watch_has_had_its_credit_too():
    loop = Loop(0.1)
    while not loop.curvatures:
        loop.train(1)
    state = loop.watch.state_dict()
    del state["charged_seconds"]
    taken = sum(row.seconds for row in loop.curvatures)
    after = Loop(0.1)
    after.watch.load_state_dict(state)
    assert after.watch.state_dict()["charged_seconds"]["critical sharpness"] == taken > 0.0
    after.train(2)
    assert not after.watch._busy
    assert after.watch.cost > 0.1  # what was on credit is not paid back yet


def test_the_first_reading_is_as_early_as_the_batches_of_the_training_are_small():
    first = {}
    for samples in (24, 6):
        loop = Loop(0.1)
        loop.watch = Watch(
            loop.model, loop.optimizer, Proportional(loop.clock), loop.batch, Budget(0.1, loop.clock)
        )
        inputs, targets = loop.batch
        batch = inputs[:samples], targets[:samples]
        while not loop.curvatures:
            loss = nn.functional.cross_entropy(loop.model(batch[0]), batch[1])
            loss.backward()
            loop.optimizer.step()
            loop.clock.now += 1.0
            loop.watch.step(loss, batch)
        first[samples] = loop.watch.steps
        assert loop.watch.cost <= 4 / 3 * 0.1
    assert first[6] < first[24] / 3


class Proportional:
    """Takes a second for 24 samples."""

    def __init__(self, clock):
        self.clock = clock

    def __call__(self, outputs, targets):
        self.clock.now += len(targets) / 24
        return nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize("bad", [["?"], {"norms": "?"}, 3.0, None])
def test_what_says_nothing_of_the_seconds_that_were_charged_is_refused(bad):
    loop = Loop(0.1)
    with pytest.raises(SettingError, match=r"^a state that no watch has given: .*\. Give what watch"):
        loop.watch.load_state_dict({**loop.watch.state_dict(), "charged_seconds": bad})


def test_a_watch_that_goes_on_from_a_state_looks_at_the_very_next_step():
    loop = Loop(1e-6, tick=1.0)
    loop.train(305)
    after = Loop(1e-6, tick=1.0)
    after.train(33)
    after.watch.load_state_dict(loop.watch.state_dict())
    after.train(1)
    assert after.watch.steps == 306
    assert after.watch.losses.step[-1] == 305
    assert after.watch.losses.step.tolist()[:-1] == loop.watch.losses.step.tolist()
