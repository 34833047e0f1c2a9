"""A watch that is stored, and one that goes on from there."""

import json
import math

import pytest
import torch
from torch import nn

from edgewise.foundation import SettingError
from edgewise.watch import Watch
from reference.watched import digits_like, mlp, plenty, train

CRITERION = nn.CrossEntropyLoss()


@pytest.fixture(autouse=True)
def rich(monkeypatch):
    plenty(monkeypatch)


def watched(steps):
    model, batch = mlp(), digits_like()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0)
    train(model, optimizer, CRITERION, lambda step: batch, steps, watch)
    return watch


def test_what_was_seen_comes_back_through_json():
    before, after = watched(24), watched(0)
    assert any(row.high == math.inf for row in before.readings)  # a number that JSON does not have
    state = before.state_dict()
    text = json.dumps(state, allow_nan=False)
    after.load_state_dict(json.loads(text))
    assert list(after.readings) == list(before.readings)
    assert after.steps == before.steps == 24
    assert after.losses.step.tolist() == before.losses.step.tolist()
    assert after.losses.loss.tolist() == before.losses.loss.tolist()
    assert after.spikes == before.spikes
    assert after.cost == before.cost
    assert after.verdict().edge_ratio == before.verdict().edge_ratio
    assert after.state_dict() == state


def test_it_goes_on_counting():
    before, after = watched(12), watched(0)
    after.load_state_dict(before.state_dict())
    after.step(0.5)
    assert after.steps == 13
    assert after.losses.step[-1] == 12


@pytest.mark.parametrize("spoilt", ["steps", "losses", "readings", "batch_size", "own_seconds"])
def test_what_is_no_such_state_is_refused_and_changes_nothing(spoilt):
    watch = watched(12)
    state = watch.state_dict()
    rows = list(watch.readings)
    for bad in ({k: v for k, v in state.items() if k != spoilt}, {**state, spoilt: ["?"]}, {}):
        if spoilt == "batch_size" and spoilt in bad:
            continue  # any kind of it is taken
        with pytest.raises(SettingError, match=r"^a state that no watch has given: .*\. Give what watch"):
            watch.load_state_dict(bad)
        assert list(watch.readings) == rows
        assert watch.steps == 12
