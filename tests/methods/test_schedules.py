import pytest
import torch

from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import Constant, Cosine, Drop, GradientDescent, Warmup


def test_a_constant_is_the_same_at_every_step():
    assert {Constant(0.3).at(step) for step in (0, 1, 10**9)} == {0.3}


def test_a_drop_takes_effect_at_exactly_its_step():
    drop = Drop(0.4, 0.1, step=6000)
    assert [drop.at(step) for step in (0, 5999, 6000, 6001)] == [0.4, 0.4, 0.1, 0.1]


def of_pytorch(scheduler, lr, steps):
    """The step sizes of one of PyTorch's schedulers."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule, sizes = scheduler(optimizer), []
    for _ in range(steps):
        sizes.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return sizes


def ours(schedule, steps):
    return [schedule.at(step) for step in range(steps)]


def test_a_warm_up_is_pytorchs_linear_schedule():
    theirs = of_pytorch(lambda opt: torch.optim.lr_scheduler.LinearLR(opt, 0.1, total_iters=7), 0.4, 12)
    assert ours(Warmup(0.4, 7, initial=0.04), 12) == pytest.approx(theirs, rel=1e-12)


def test_a_warm_up_from_nowhere_takes_equal_steps_up():
    assert ours(Warmup(1, 4), 6) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_a_warm_up_to_a_schedule_is_pytorchs_sequence():
    def sequence(opt):
        up = torch.optim.lr_scheduler.LinearLR(opt, 0.25, total_iters=5)
        down = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=10, eta_min=0.01)
        return torch.optim.lr_scheduler.SequentialLR(opt, [up, down], milestones=[5])

    theirs = of_pytorch(sequence, 0.4, 15)
    assert ours(Warmup(Cosine(0.4, 0.01, 10), 5, initial=0.1), 15) == pytest.approx(theirs, rel=1e-12)


def test_a_cosine_is_pytorchs_up_to_its_end_and_stays_there():
    theirs = of_pytorch(lambda opt: torch.optim.lr_scheduler.CosineAnnealingLR(opt, 9, eta_min=0.02), 0.3, 10)
    cosine = Cosine(0.3, 0.02, steps=9)
    assert ours(cosine, 10) == pytest.approx(theirs, rel=1e-12)
    assert [cosine.at(step) for step in (9, 10, 10**6)] == [0.02] * 3


def test_whole_numbers_are_step_sizes_too():
    for schedule in (Constant(1), Drop(2, 1, step=3), Warmup(1, 2), Warmup(2, 2, initial=1), Cosine(2, 1, 2)):
        assert all(type(schedule.at(step)) is float for step in range(5))
    assert GradientDescent(1).critical_curvature == 2.0
    assert type(GradientDescent(1).step_size_at(GradientDescent(1).init(torch.zeros(1)))) is float


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Constant(0.0), r"value=0\.0: a step size is a positive, finite number"),
        (lambda: Drop(-1.0, 0.1, step=1), r"initial=-1\.0: a step size"),
        (lambda: Drop(0.1, float("inf"), step=1), r"final=inf: a step size"),
        (lambda: Drop(0.1, 0.01, step=-1), r"step=-1: steps are counted from 0"),
        (lambda: Warmup(0.0, 5), r"final=0\.0: a step size"),
        (lambda: Warmup(0.1, 5, initial=0.0), r"initial=0\.0: a step size"),
        (lambda: Warmup(0.1, 0), r"steps=0: a way from one step size to another"),
        (lambda: Cosine(-0.1, 0.1, 5), r"initial=-0\.1: a step size"),
        (lambda: Cosine(0.1, 0, 5), r"final=0: a step size"),
        (lambda: Cosine(0.1, 0.01, 0), r"steps=0: a way from one step size to another"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make, sentence):
    with pytest.raises(SettingError, match=sentence):
        make()


@pytest.mark.parametrize(
    "schedule", [Constant(0.3), Drop(0.4, 0.1, step=3), Warmup(Cosine(0.2, 0.1, 30), 5), Warmup(0.2, 5, 0.1)]
)
def test_a_schedule_is_written_down_and_read_back(schedule):
    assert decode(encode(schedule)) == schedule
