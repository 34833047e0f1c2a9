import pytest

from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import Constant, Drop


def test_a_constant_is_the_same_at_every_step():
    assert {Constant(0.3).at(step) for step in (0, 1, 10**9)} == {0.3}


def test_a_drop_takes_effect_at_exactly_its_step():
    drop = Drop(0.4, 0.1, step=6000)
    assert [drop.at(step) for step in (0, 5999, 6000, 6001)] == [0.4, 0.4, 0.1, 0.1]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Constant(0.0), r"value=0\.0: a step size is a positive, finite number"),
        (lambda: Drop(-1.0, 0.1, step=1), r"initial=-1\.0: a step size"),
        (lambda: Drop(0.1, float("inf"), step=1), r"final=inf: a step size"),
        (lambda: Drop(0.1, 0.01, step=-1), r"step=-1: steps are counted from 0"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make, sentence):
    with pytest.raises(SettingError, match=sentence):
        make()


@pytest.mark.parametrize("schedule", [Constant(0.3), Drop(0.4, 0.1, step=3)])
def test_a_schedule_is_written_down_and_read_back(schedule):
    assert decode(encode(schedule)) == schedule
