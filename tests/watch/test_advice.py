"""Advice on synthetic readings, whose answers are known."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from edgewise.foundation import ParameterSpace, SettingError, generator
from edgewise.watch.advice import Advice, advise, eigenvector_shares, momentum_of
from edgewise.watch.losses import Losses
from edgewise.watch.reading import Kind, Reading


def reading(
    step: int, sharpness: float, lr: float = 0.01, kind: Kind = "effective sharpness", doubt: float = 0.0
) -> Reading:
    """A curvature against 2/lr, within ± doubt."""
    return Reading(
        step=step, kind=kind, value=sharpness, low=sharpness - doubt, high=sharpness + doubt, critical=2 / lr,
        lr=lr, passes=1.0, seconds=0.0,
    )  # fmt: skip


def of(rows: Sequence[Reading], lr: float = 0.01, spikes: Sequence[int] = (), **more: object) -> Advice:
    return advise(rows, Losses(), spikes, lr, **more)


def series(curvature: Callable[[int], float], steps: int = 200, every: int = 5, lr: float = 0.01) -> list[Reading]:
    return [reading(step, curvature(step), lr) for step in range(0, steps, every)]


def test_a_constant_curvature_gives_two_over_it() -> None:
    found = of(series(lambda step: 50.0))
    assert found.max_lr == pytest.approx(2 / 50, rel=1e-12)
    assert found.low == pytest.approx(2 / 50, rel=1e-12) and found.high == pytest.approx(2 / 50, rel=1e-12)
    assert found.steps_to_edge is None
    assert found.warmup_steps == 0
    assert found.after_spike is None
    assert "about 0.04 (between 0.04 and 0.04), 4 times the present 0.01, by effective sharpness" in str(found)


def test_the_step_size_of_the_reading_counts_not_the_present_one() -> None:
    assert of(series(lambda step: 50.0, lr=0.002), lr=0.01).max_lr == pytest.approx(2 / 50, rel=1e-12)


def test_a_schedule_that_has_come_to_its_end_leaves_advice() -> None:
    found = of(series(lambda step: 50.0), 0.0, spikes=[3])
    assert found.max_lr == pytest.approx(2 / 50)
    assert "The present step size is zero: nothing moves." in str(found)
    assert "times the present" not in str(found)
    assert found.steps_to_edge is None and found.after_spike is None


def test_bounds_are_those_of_a_single_reading() -> None:
    found = of([reading(3, 50.0, doubt=10.0)])
    assert (found.low, found.high) == (pytest.approx(2 / 60), pytest.approx(2 / 40))


def test_bounds_hold_the_truth_where_readings_scatter() -> None:
    """The scatter is uniform within 20 %: nine tenths of it lie inside the bounds."""
    noise = torch.rand(200, generator=generator(0, "scatter")).tolist()
    found = of([reading(step, 50.0 * (0.8 + 0.4 * noise[step])) for step in range(200)])
    assert found.low is not None and found.high is not None and found.max_lr is not None
    assert found.low < 2 / 50 < found.high
    assert found.low == pytest.approx(2 / 59, rel=0.05) and found.high == pytest.approx(2 / 41, rel=0.05)
    assert found.max_lr == pytest.approx(2 / 50, rel=0.1)


def test_sharpening_is_forecast_to_the_step() -> None:
    """λ = 100 + step/2 is 147.5 at the last reading and 200 at step 200, 105 steps later."""
    found = of(series(lambda step: 100 + step / 2, steps=100))
    assert found.max_lr == pytest.approx(2 / 147.5, rel=1e-9)
    assert found.steps_to_edge == 105
    # In 100 steps it is 197.5, and 2/λ smaller by 1 − 147.5/197.5.
    assert (
        "this bound falls, by about 25% in 100 steps: at this rate the present step size reaches its edge "
        in str(found)
    )
    assert "in about 105 steps (105 to 105)" in str(found)


def test_what_was_read_long_ago_is_said_to_be_old() -> None:
    """A forecast counts from now, not from the last reading."""
    rows, losses = series(lambda step: 100 + step / 2, steps=100), Losses()
    losses.add(145, 1.0)
    found = advise(rows, losses, [], 0.01)
    assert "may no longer hold" not in str(found)
    assert found.steps_to_edge == 105 - 50
    losses.add(146, 1.0)
    assert "That was 51 steps ago and may no longer hold" in str(advise(rows, losses, [], 0.01))


def test_at_the_edge_there_is_no_waiting() -> None:
    assert "is at its edge already" in str(of([reading(7, 201.0, doubt=2.0)]))
    found = of([reading(7, 300.0, doubt=2.0)])
    assert found.steps_to_edge == 0
    assert "is beyond its edge already" in str(found)


def test_readings_after_the_last_spike_count() -> None:
    rows = [reading(step, 190.0 if step < 50 else 80.0) for step in range(0, 100, 5)]
    assert of(rows, spikes=[50]).max_lr == pytest.approx(2 / 80)


@pytest.mark.parametrize(
    ("read", "kind", "curvature"),
    [
        ({}, "effective sharpness", 50.0),
        ({"batch sharpness": 80.0}, "batch sharpness", 80.0),
        ({"batch sharpness": 80.0, "mean-square sharpness": 70.0}, "batch sharpness", 80.0),
        ({"batch sharpness": 80.0, "mean-square sharpness": 90.0}, "mean-square sharpness", 90.0),
        ({"batch sharpness": 30.0}, "batch sharpness", 30.0),
    ],
)
def test_the_kind_that_is_nearest_to_its_edge_is_taken_of_the_best(
    read: dict[Kind, float], kind: Kind, curvature: float
) -> None:
    all_of_them: dict[Kind, float] = {"effective sharpness": 50.0, "critical sharpness": 200.0, **read}
    found = of([reading(step, value, kind=k) for step in range(0, 30, 5) for k, value in all_of_them.items()])
    assert found.kind == kind
    assert found.max_lr == pytest.approx(2 / curvature)


def test_a_kind_that_is_no_longer_read_is_passed_over() -> None:
    rows = [reading(0, 50.0), *(reading(step, 20.0, kind="critical sharpness") for step in range(0, 500, 10))]
    found = of(rows)
    assert found.kind == "critical sharpness"
    assert found.high == pytest.approx(2 / 20)


def test_one_direction_gives_a_ceiling_and_what_has_trained_a_floor() -> None:
    rows = [reading(step, 20.0, kind="critical sharpness") for step in range(0, 100, 10)]
    found = of(rows)
    assert (found.low, found.high) == (0.01, pytest.approx(2 / 20))
    assert found.max_lr == pytest.approx(math.sqrt(0.01 * 2 / 20))
    assert "a ceiling: another may be sharper" in str(found)
    assert "has trained without a spike" in str(found)
    assert of(rows, every_step=False).low == pytest.approx(2 / 20)
    at_the_edge = of([reading(step, 200.0, kind="critical sharpness") for step in range(10)])
    assert at_the_edge.max_lr == pytest.approx(0.01)
    assert "is at its edge already" in str(at_the_edge)


def test_full_sharpness_is_a_ceiling_for_small_batches() -> None:
    found = of(series(lambda step: 50.0), small_batches=True)
    assert found.kind == "effective sharpness"
    assert "it is a ceiling" in str(found)


def test_batch_sharpness_alone_is_said_to_look_along_gradients_only() -> None:
    found = of([reading(step, 50.0, kind="batch sharpness") for step in range(10)], small_batches=True)
    assert "It looks along gradients only" in str(found)
    assert (found.low, found.high, found.max_lr) == tuple(pytest.approx(2 / 50) for _ in range(3))


def test_momentum_leaves_the_critical_sharpness_open() -> None:
    found = of([reading(9, 50.0, kind="critical sharpness")], spikes=[9], momentum=0.9)
    assert (found.low, found.high) == (pytest.approx(2 / 50), pytest.approx(19 * 2 / 50))
    assert "sum over 10 gradients" in str(found)
    assert "now lies between 0.04 and 0.76, more is not known; the guess is 0.174, 17.4 times" in str(found)


def test_full_batches_with_momentum_are_certain() -> None:
    assert of([reading(9, 50.0)], momentum=0.9).max_lr == pytest.approx(2 / 50)


def test_a_forecast_goes_to_the_middle_of_what_is_left_open() -> None:
    """With β = 1/2 the edge along an update lies up to three times as high as the readings say."""
    rows = [reading(step, 20.0 + step, kind="critical sharpness") for step in range(0, 60, 5)]
    found = of(rows, spikes=[50], momentum=0.5)
    assert found.steps_to_edge is None  # two readings since the spike make no line
    found = of(rows, spikes=[20], momentum=0.5)
    # The line goes through 75 at step 55, and the step size of 0.01 has been quiet since step 25.
    assert (found.low, found.high) == (pytest.approx(0.01), pytest.approx(3 * 2 / 75))
    assert found.max_lr == pytest.approx(math.sqrt(0.01 * 3 * 2 / 75))
    assert found.steps_to_edge == round(75 * found.max_lr / 0.01 - 75)


def test_the_parameter_with_most_of_the_eigenvector_breaks_first() -> None:
    shares = {"0.weight": 0.25, "2.weight": 0.7, "2.bias": 0.05}
    found = of([reading(9, 50.0)], shares=shares)
    assert found.first_to_break == "2.weight (70% of the top eigenvector)"
    assert "What breaks first if it is raised: 2.weight" in str(found)


def test_without_an_eigenvector_the_reading_nearest_to_its_line_does() -> None:
    rows = [reading(9, 50.0), reading(9, 60.0, kind="critical sharpness")]
    found = of(rows)
    assert found.first_to_break == "critical sharpness (0.3 of its critical value)"
    assert "cannot be told by parameter yet; nearest to its line is critical sharpness" in str(found)


def test_shares_of_an_eigenvector() -> None:
    space = ParameterSpace(("a", "b"), ((2,), (1, 1)))
    assert eigenvector_shares(torch.tensor([1.0, 2.0, 2.0]), space) == {
        "a": pytest.approx(5 / 9),
        "b": pytest.approx(4 / 9),
    }


class TestWarmup:
    def test_it_is_as_long_as_the_curvature_needs(self) -> None:
        """λ = 4000 exp(−t/20) allows 0.01 from t = 20 ln 20 on; before, T is at least (t+1) λη/2."""
        rows = series(lambda step: 4000 * math.exp(-step / 20), steps=300, every=1)
        largest = max((t + 1) * 20 * math.exp(-t / 20) for t in range(300))
        found = of(rows)
        assert found.warmup_steps == math.ceil(max(largest, math.ceil(20 * math.log(20))))
        allowed = [2 / row.value for row in rows]
        ramp = [0.01 * min(1, (t + 1) / found.warmup_steps) for t in range(300)]
        assert all(lr <= edge for lr, edge in zip(ramp, allowed, strict=True))
        shorter = [0.01 * min(1, (t + 1) / (found.warmup_steps - 2)) for t in range(300)]
        assert any(lr > edge for lr, edge in zip(shorter, allowed, strict=True))
        assert "at step 0 the effective sharpness allowed only 0.0005" in str(found)

    def test_it_is_for_the_full_step_size(self) -> None:
        """The same readings, taken at a thousandth of it, in a run that was itself warming up."""
        rows = [reading(t, 4000 * math.exp(-t / 20), lr=1e-5) for t in range(300)]
        full = of(series(lambda step: 4000 * math.exp(-step / 20), steps=300, every=1))
        assert of(rows, lr=1e-5, full_lr=0.01).warmup_steps == full.warmup_steps
        assert of(rows, lr=1e-5).warmup_steps == 0

    def test_a_run_that_sharpens_into_its_edge_needs_none(self) -> None:
        assert of(series(lambda step: min(200.0, 20 + 2 * step) * (1 + 0.05 * math.sin(step)))).warmup_steps == 0

    def test_curvature_that_does_not_fall_tells_nothing(self) -> None:
        found = of(series(lambda step: 400.0))
        assert found.warmup_steps is None
        assert "has not fallen since" in str(found)

    def test_another_kind_tells_where_the_best_was_not_read_early(self) -> None:
        rows = [
            reading(step, 400.0 if step < 40 else 100.0, kind="critical sharpness") for step in range(0, 90, 10)
        ]
        rows += [reading(step, 100.0) for step in range(90, 150, 10)]
        found = of(rows)
        assert found.kind == "effective sharpness"
        # Twice too much until step 30, the 31st: 62 steps.
        assert found.warmup_steps == 62
        assert "at step 0 the critical sharpness allowed only 0.005" in str(found)

    def test_a_watch_that_came_late_tells_nothing(self) -> None:
        found = of([reading(step, 50.0) for step in range(1000, 1100)])
        assert found.warmup_steps is None
        assert "it takes 3 readings of the first 110 steps, and there are 0" in str(found)


class TestAfterASpike:
    def test_the_largest_curvature_around_it_counts(self) -> None:
        rows = [reading(step, 250.0 if step < 50 else 100.0) for step in range(0, 100, 10)]
        found = of(rows, spikes=[12, 50])
        assert found.after_spike == pytest.approx(0.8 * 2 / 250)
        assert "After the spike at step 50 a step size of 0.0064 is safe" in str(found)

    def test_a_spike_of_another_cause_leaves_the_step_size(self) -> None:
        found = of(series(lambda step: 20.0), spikes=[50])
        assert found.after_spike == 0.01
        assert "it need not be lowered" in str(found)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no curvature has been read yet"),
        (
            [reading(4, -3.0)],
            "the effective sharpness of step 4 is -3, and only a curvature that is positive and finite",
        ),
        ([reading(4, math.inf)], "is inf, and only a curvature that is positive and finite has an edge"),
        (
            [replace(reading(4, 3.0), critical=math.inf, lr=0.0)],
            "at step 4 the step size was zero, and what does not move has no edge",
        ),
    ],
)
def test_without_an_edge_nothing_is_invented(rows: list[Reading], why: str) -> None:
    found = of(rows, spikes=[3])
    assert why in str(found)
    assert {found.kind, found.max_lr, found.low, found.high, found.first_to_break} == {None}
    assert {found.steps_to_edge, found.warmup_steps, found.after_spike} == {None}


def test_norms_alone_tell_nothing() -> None:
    row = Reading(
        step=1, kind="update norm", value=1.0, low=1.0, high=1.0, critical=None, lr=0.1, passes=0.0, seconds=0.0
    )
    assert of([row]).max_lr is None


def test_readings_without_bounds_are_bounded_by_their_scatter() -> None:
    """As what is read of few batches may have them."""
    rows = [
        Reading(
            step=step, kind="batch sharpness", value=50.0, low=-math.inf, high=math.inf, critical=200.0, lr=0.01,
            passes=0.0, seconds=0.0,
        )
        for step in range(10)
    ]  # fmt: skip
    many, one = of(rows), of(rows[:1])
    assert (many.low, many.high) == (pytest.approx(0.04), pytest.approx(0.04))
    assert (one.low, one.high, one.max_lr) == (0.0, math.inf, pytest.approx(0.04))


def test_secant_curvatures_are_not_trusted() -> None:
    found = of([reading(step, 50.0, kind="secant curvature") for step in range(10)])
    assert found.max_lr is None
    assert "no curvature has been read yet" in str(found)


def test_a_loss_that_is_not_finite_is_said_first() -> None:
    losses = Losses()
    losses.add(0, 1.0)
    losses.add(1, math.nan)
    found = advise([reading(4, 50.0)], losses, [], 0.01)
    assert found.sentences[0] == "The loss is not finite at step 1."


@pytest.mark.parametrize(
    ("lr", "momentum", "sentence"),
    [
        (
            -0.1,
            0.0,
            "lr=-0.1: a step size is a number that is not negative. Type lr=optimizer.param_groups[0]['lr'].",
        ),
        (0.1, 1.0, "momentum=1.0: it is in [0, 1). Type momentum=0.9."),
    ],
)
def test_what_cannot_be_is_refused(lr: float, momentum: float, sentence: str) -> None:
    with pytest.raises(SettingError) as refused:
        of([], lr, momentum=momentum)
    assert str(refused.value) == sentence


def test_momentum_of_optimisers() -> None:
    w = [torch.zeros(1, requires_grad=True)]
    assert momentum_of(torch.optim.SGD(w, lr=0.1)) == 0.0
    assert momentum_of(torch.optim.SGD(w, lr=0.1, momentum=0.8)) == 0.8
    assert momentum_of(torch.optim.AdamW(w, betas=(0.7, 0.99))) == 0.7
    assert momentum_of(torch.optim.Adagrad(w)) == 0.0


def test_a_warm_up_by_one_direction_is_said_to_be_the_least() -> None:
    for kind, said in (("critical sharpness", True), ("effective sharpness", False)):
        rows = [reading(step, 50.0, kind=kind) for step in range(0, 100, 10)]
        assert ("Along other directions it may be more." in str(of(rows))) == said


@pytest.mark.parametrize("kind", ["batch sharpness", "mean-square sharpness"])
def test_what_has_trained_refutes_an_estimate_from_batches(kind: Kind) -> None:
    rows = [reading(step, 400.0, kind=kind, doubt=400.0 * 2 / 3) for step in range(0, 100, 10)]
    found = of(rows, small_batches=True)
    # 2/400 is half of the present step size, and their bounds reach up to 3 times that.
    assert (found.max_lr, found.low) == (0.01, 0.01)
    assert found.high == pytest.approx(3 * 2 / 400)
    assert "A step size of 0.01 has trained without a spike" in str(found)
    assert of(rows, spikes=[90], small_batches=True).max_lr == pytest.approx(2 / 400)
    certain = [reading(step, 400.0, kind=kind) for step in range(0, 100, 10)]
    assert of(certain, small_batches=True).max_lr == pytest.approx(2 / 400)


@pytest.mark.parametrize("kind", ["critical sharpness", "mean-square sharpness"])
def test_a_step_size_at_which_the_loss_has_blown_up_is_too_large(kind: Kind) -> None:
    losses = Losses()
    for step in range(100):
        losses.add(step, 1.0 if step < 90 else 50.0)
    rows = [reading(step, 50.0, kind=kind) for step in range(0, 100, 10)]
    found = advise(rows, losses, [], 0.01)
    assert found.high == 0.01 and found.low is not None and found.max_lr is not None
    assert found.low <= found.max_lr <= 0.01
    assert "The loss has blown up at the present step size" in str(found)
    assert "has trained without a spike" not in str(found)
