"""The history of losses: bounded, thinned from its old end, and honest about what is not finite."""

import math

import numpy as np
import pytest

from edgewise.watch import Losses


def test_all_of_a_short_history_is_kept():
    losses = Losses()
    for step in range(100):
        losses.add(step, 1.0 / (step + 1))
    assert len(losses) == 100
    assert losses.step.tolist() == list(range(100))
    assert losses.loss.tolist() == [1.0 / (step + 1) for step in range(100)]
    assert (losses.step.dtype, losses.loss.dtype) == (np.int64, np.float64)


@pytest.mark.parametrize("most", [8, 9, 64])
def test_a_long_history_stays_short_and_keeps_both_ends(most):
    losses = Losses(most)
    for step in range(1000):
        losses.add(step, float(step))
        assert len(losses) <= most
    steps = losses.step
    assert steps[0] == 0
    assert np.all(np.diff(steps) > 0)
    assert losses.loss.tolist() == steps.tolist()  # each loss stays with its step
    recent = most - most // 2
    # The younger half is complete, but for one row just before the next thinning.
    assert steps[-(recent - 1) :].tolist() == list(range(1000 - recent + 1, 1000))
    # And further back the rows are further apart.
    assert np.diff(steps)[0] > np.diff(steps)[-1] == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_step_from_which_on_no_loss_is_finite_is_remembered_and_none_of_them_kept(bad):
    losses = Losses()
    losses.add(0, 1.0)
    assert losses.not_finite is None
    losses.add(1, bad)
    losses.add(2, math.nan)
    assert losses.not_finite == 1
    losses.add(3, 0.5)
    assert losses.not_finite is None  # an overflow that was skipped, or a run that was taken back
    losses.add(4, bad)
    assert losses.not_finite == 4
    assert losses.step.tolist() == [0, 3]


def test_none_yet():
    losses = Losses()
    assert len(losses) == 0
    assert losses.step.shape == losses.loss.shape == (0,)
