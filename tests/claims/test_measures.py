"""Measures against series whose answer is known."""

import numpy as np
import pytest
import xarray as xr

from edgewise.claims import (
    Measure,
    alternating,
    among,
    at_share,
    at_step,
    crossing,
    difference,
    exponent,
    farthest,
    first,
    hovering_at,
    increases,
    largest,
    last,
    last_above,
    later,
    maximum,
    mean,
    mean_ratio,
    median,
    minimum,
    of,
    only,
    onset_of,
    order,
    period_two,
    rank_correlation,
    ratio,
    ratio_of_time_means,
    readings,
    slope_of,
    smallest,
    values,
    window_decreases,
)
from edgewise.foundation import EvidenceError, SettingError


def record(**series: object) -> xr.Dataset:
    """One process, read at every step; a two-dimensional series is ranked."""
    arrays = {name: np.asarray(x, dtype=float) for name, x in series.items()}
    steps = max(len(x) for x in arrays.values())
    data = {name: (("process", "step", "rank")[: 1 + x.ndim], x[None]) for name, x in arrays.items()}
    return xr.Dataset(data, coords={"process": ["gd"], "step": np.arange(steps)})


def measured(measure: Measure, **series: object) -> float:
    return measure({"run": record(**series)})


ROUGH = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (first("x"), 3),
        (last("x"), 6),
        (mean("x"), np.mean(ROUGH)),
        (median("x"), np.median(ROUGH)),
        (maximum("x"), 9),
        (minimum("x"), 1),
        (increases("x"), 4),
        (maximum("x", until=at_step(4)), 5),
        (mean("x", after=at_step(6)), 4),
        (ratio(last("x"), first("x")), 2),
        (difference(last("x"), first("x")), 3),
        (hovering_at("x", 2.0), 3.5 / 2),
        (mean_ratio("x", 2.0), np.mean(ROUGH) / 2),
    ],
)
def test_numbers_of_one_series(measure: Measure, expected: float) -> None:
    assert measured(measure, x=ROUGH) == pytest.approx(expected, rel=1e-15)


def test_a_missing_reading_is_left_out_and_steps_stay_where_they_are() -> None:
    run = record(x=[1.0, np.nan, 3.0, np.nan])
    assert values(run, "x").tolist() == [1, 3]
    assert readings(run, "x")["step"].values.tolist() == [0, 2]
    assert slope_of("x")({"run": record(x=[0.0, np.nan, 4.0, 6.0])}) == pytest.approx(2)


def test_of_a_ranked_series_the_first_is_taken() -> None:
    assert measured(last("sharpness"), sharpness=[[5.0, 2.0], [7.0, 3.0]]) == 7


def test_ratios_pair_readings_of_the_same_step() -> None:
    run = {"x": [2.0, np.nan, 9.0, 4.0], "level": [1.0, 5.0, np.nan, 2.0]}
    assert measured(hovering_at("x", "level"), **run) == 2
    assert measured(mean_ratio("x", "level"), **run) == 2
    assert measured(ratio_of_time_means("x", "level"), **run) == 2


def test_trends() -> None:
    t = np.arange(50.0)
    assert measured(slope_of("x"), x=3 * t - 1) == pytest.approx(3)
    assert measured(slope_of("x", log=True), x=-np.exp(-0.1 * t)) == pytest.approx(-0.1)
    assert measured(rank_correlation("x"), x=t**3) == pytest.approx(1)
    assert measured(rank_correlation("x", against="y"), x=t**3, y=-t) == pytest.approx(-1)
    assert measured(window_decreases("x", windows=5), x=-t) == 1
    assert measured(window_decreases("x", windows=5), x=np.r_[np.zeros(10), np.ones(10), -t[:30]]) == 0.75


def test_alternation_and_two_cycles() -> None:
    flip = (-1.0) ** np.arange(20)
    assert measured(alternating("x"), x=flip) == 1
    assert measured(period_two("x"), x=5 + flip) == 0
    assert measured(period_two("x"), x=np.arange(20.0)) == 2
    assert measured(alternating("x"), x=[1.0, 1.0, -1.0, -1.0, 1.0]) == 0.5


def test_moments() -> None:
    run = record(x=[0.0, 1.0, 2.0, 3.0, 1.0, 0.0], bar=[2.0] * 6, loss=np.ones(6))
    assert crossing("x", "bar")(run, None) == 3
    assert crossing("x", 2.0, share=0.5)(run, None) == 2
    assert last_above("x", 0.5)(run, None) == 4
    assert at_share(0.5)(run, None) == 3
    assert later(at_step(1), steps=2)(run, "gd") == 3
    assert later(at_step(1), share=0.5)(run, "gd") == 3
    with pytest.raises(EvidenceError, match=r"the crossing of 1 × 9.0 by x: the largest ratio read is 0.333"):
        crossing("x", 9.0)(run, None)
    with pytest.raises(EvidenceError, match=r"the last step with x above 1 × 9.0: there is none"):
        last_above("x", 9.0)(run, None)
    with pytest.raises(SettingError, match="a run goes from 0 to 1"):
        at_share(2.0)


def test_the_onset_of_a_phase_is_the_diagnosis() -> None:
    t = np.arange(400.0)
    ratio_read = np.minimum(0.4 + 0.005 * t, 1 + 0.01 * (-1.0) ** t)
    run = record(
        sharpness=100 * ratio_read[:, None], critical_curvature=np.full(400, 100.0), loss=np.exp(-0.01 * t)
    )
    reached = int(np.argmax(ratio_read > 0.99))
    assert abs(onset_of("edge")(run, None) - reached) <= 20
    with pytest.raises(EvidenceError, match="the onset of the phase 'catapult': the run went through sharpening"):
        onset_of("catapult")(run, None)


def test_measures_of_many_runs() -> None:
    runs = {"a": record(x=[1.0, 2.0]), "b": record(x=[1.0, 8.0]), "c": record(x=[1.0, 4.0])}
    assert of("b", last("x"))(runs) == 8
    assert among("ac".__contains__, largest(last("x")))(runs) == 4
    assert largest(last("x"))(runs) == 8
    assert smallest(last("x"))(runs) == 2
    assert farthest(last("x"), of=5)(runs) in (2, 8)
    assert order(last("x"), ("a", "c", "b"))(runs) == pytest.approx(1)
    assert order(last("x"))(runs) == pytest.approx(0.5)


def test_an_exponent_is_that_of_the_power_law() -> None:
    runs = {f"{eta}": record(eta=[eta], steps=[7 * eta**-2]) for eta in (0.1, 0.05, 0.02)}
    assert exponent(last("steps"), last("eta"))(runs) == pytest.approx(-2)


def test_what_is_not_there_is_named() -> None:
    run = record(x=[1.0, np.nan, np.nan], loss=[1.0, 1.0, 1.0])
    for measure, message in (
        (last("y"), "the series 'y': the record has none of that name. Choose from x, loss"),
        (last("x", after=at_step(1)), "the series 'x' from step 1: there is no reading of it"),
        (last("x", process="adam"), "the process 'adam': the record has none of that name. Choose from gd"),
        (of("z", last("x")), "the run 'z': the recipe made none. Choose from run"),
        (rank_correlation("x"), "a trend of 1 readings: it takes 3 to tell one"),
        (rank_correlation("loss"), "a rank correlation: one of the two never changes"),
        (order(last("x")), "the order of 1 runs: it takes three that differ"),
        (exponent(last("x"), last("x")), "an exponent from 1 runs: it takes two that differ"),
        (window_decreases("loss"), "3 readings of loss: 20 windows need more"),
        (among(lambda _: False, largest(last("x"))), "a measure over all runs: there is none"),
    ):
        with pytest.raises(EvidenceError) as caught:
            measure({"run": run})
        assert message in str(caught.value)
    with pytest.raises(EvidenceError, match="this measure reads a single run"):
        only({"a": run, "b": run})


def gapped(**series: object) -> xr.Dataset:
    """As `record`, but with readings at every second step."""
    whole = record(**series)
    return whole.assign_coords(step=2 * whole["step"])


@pytest.mark.parametrize("measure", [period_two("x"), alternating("x")])
def test_what_goes_from_step_to_step_is_not_told_from_every_second_step(measure: Measure) -> None:
    with pytest.raises(EvidenceError, match="it was not read at every one"):
        measure({"run": gapped(x=ROUGH)})


def test_zeros_do_not_alternate() -> None:
    assert measured(alternating("x"), x=[0.0, 0.0, 0.0, 0.0]) == 0.0
    assert measured(alternating("x"), x=[1e-200, -1e-200, 1e-200]) == 1.0


def test_a_series_that_stands_still_has_no_period() -> None:
    with pytest.raises(EvidenceError, match="it does not change from step to step"):
        measured(period_two("x"), x=[2.0, 2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    "measure",
    [
        ratio_of_time_means("x", "y"),
        hovering_at("x", "y"),
        mean_ratio("x", "y"),
        rank_correlation("x", "y"),
        last("x", after=crossing("x", "y")),
        last("x", after=last_above("x", "y")),
    ],
)
def test_series_that_were_never_read_together_are_no_evidence(measure: Measure) -> None:
    nan = np.nan
    with pytest.raises(EvidenceError, match="'x' beside 'y': they were never read at the same step"):
        measured(measure, x=[1.0, nan, 2.0, nan], y=[nan, 1.0, nan, 2.0])


def test_only_steps_at_which_both_were_read_are_compared() -> None:
    x, y = [1.0, 100.0, 2.0, 100.0, 6.0], [1.0, np.nan, 1.0, np.nan, 1.0]
    assert measured(hovering_at("x", "y"), x=x, y=y) == 2.0
    assert measured(ratio_of_time_means("x", "y"), x=x, y=y) == 3.0


def test_a_level_of_zero_is_infinitely_exceeded() -> None:
    assert measured(hovering_at("x", "y"), x=[1.0, 2.0, 3.0], y=[0.0, 0.0, 0.0]) == np.inf
    assert np.isnan(measured(hovering_at("x", 0), x=[0.0, 0.0, 0.0]))
    assert measured(ratio_of_time_means("x", "y"), x=[1.0, 2.0], y=[1.0, -1.0]) == np.inf


def test_the_order_of_a_run_that_is_not_there_is_no_evidence() -> None:
    with pytest.raises(EvidenceError, match="the run 'b': the recipe made none"):
        order(last("x"), names=("a", "b", "c"))({"a": record(x=[1.0])})


def test_the_largest_of_numbers_and_none_is_none() -> None:
    runs = {name: record(x=[value]) for name, value in zip("abc", (1.0, 2.0, 3.0), strict=True)}

    def lost_in_b(one: dict[str, xr.Dataset]) -> float:
        return float("nan") if "b" in one else last("x")(one)

    for combined in (largest, smallest, farthest, order):
        with pytest.raises(EvidenceError, match="the run 'b': the effect is not a number there"):
            combined(lost_in_b)(runs)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf])
def test_an_exponent_is_of_positive_numbers(bad: float) -> None:
    runs = {name: record(x=[value]) for name, value in zip("ab", (1.0, 2.0), strict=True)}

    def odd(one: dict[str, xr.Dataset]) -> float:
        return bad if "b" in one else 1.0

    with pytest.raises(EvidenceError, match="a power law has positive numbers only"):
        exponent(odd, last("x"))(runs)


def test_a_ratio_to_zero_is_no_evidence() -> None:
    with pytest.raises(EvidenceError, match="the second one is zero"):
        measured(ratio(first("x"), last("x")), x=[1.0, 0.0])


def test_the_logarithm_of_zero_is_no_evidence() -> None:
    with pytest.raises(EvidenceError, match="the logarithm of x: it is zero at some step"):
        measured(slope_of("x", log=True), x=[1.0, 0.5, 0.0])


def edge(steps: int = 60) -> dict[str, list[float]]:
    """Sharpness that climbs to its critical value 10 at step 30, and stays about it."""
    climb = [10.0 * min(1.0, t / 30) + (0.1 * (-1) ** t if t >= 30 else 0.0) for t in range(steps)]
    return {"loss": [1.0] * steps, "critical_curvature": [10.0] * steps, "climb": climb}


def test_an_onset_is_told_from_the_effective_sharpness_where_there_is_one() -> None:
    base = edge()
    climb, nan = base.pop("climb"), [np.nan] * 60
    start = measured(first("loss", after=onset_of("edge")), **base, sharpness=climb)
    assert start == 1.0
    assert onset_of("edge")(record(**base, sharpness=climb), None) == 30.0
    far = [1e3] * 60
    assert onset_of("edge")(record(**base, sharpness=far, effective_sharpness=climb), None) == 30.0
    # Beside a preconditioned method the series is there for plain descent too, without a reading.
    assert onset_of("edge")(record(**base, sharpness=climb, effective_sharpness=nan), None) == 30.0
    with pytest.raises(EvidenceError, match=r"Add EffectiveSharpness\(\) to the probes"):
        onset_of("edge")(record(**base, sharpness=climb, edge_ratio=nan), None)


def test_an_onset_needs_its_series() -> None:
    base = edge()
    base.pop("climb")
    with pytest.raises(EvidenceError, match="the series 'sharpness': the record has none of that name"):
        onset_of("edge")(record(**base), None)


def test_a_critical_curvature_of_zero_is_passed_over() -> None:
    base = edge()
    climb = base.pop("climb")
    base["critical_curvature"][0] = 0.0
    assert onset_of("edge")(record(**base, sharpness=climb), None) == 30.0
