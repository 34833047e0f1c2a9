"""Series whose phases are known: drawn by hand, or made by systems with an edge, a catapult, a blow-up."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.diagnosis import Diagnosis, diagnose
from edgewise.foundation import SettingError, decode, encode

CRITICAL = 200.0


def kinds(diagnosis):
    return [phase.kind for phase in diagnosis.phases]


def starts(diagnosis):
    return [phase.start for phase in diagnosis.phases]


def sharpen(steps, start, end):
    return np.linspace(start, end, steps)


def hover(steps, level=1.01 * CRITICAL, width=0.03):
    return level * (1 + width * np.sin(0.7 * np.arange(steps)))


def decay(steps, start=2.0, end=0.1):
    return np.geomspace(start, end, steps)


def edge_run(before=400, at=600):
    sharpness = np.concatenate([sharpen(before, 20, 199), hover(at)])
    return np.arange(before + at), decay(before + at), sharpness


# Drawn by hand


def test_an_edge_has_an_onset_a_ratio_and_a_sentence():
    step, loss, sharpness = edge_run()
    diagnosis = diagnose(step, loss, sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["sharpening", "edge"]
    assert diagnosis.onset == 400
    assert diagnosis.state == "edge"
    assert diagnosis.edge_ratio.median == pytest.approx(1.01, abs=0.002)
    assert diagnosis.edge_ratio.lower == pytest.approx(1.01 * (1 - 0.03 / np.sqrt(2)), abs=0.002)
    assert diagnosis.edge_ratio.upper == pytest.approx(1.01 * (1 + 0.03 / np.sqrt(2)), abs=0.002)
    assert diagnosis.edge_ratio.readings == 600
    assert str(diagnosis) == (
        "At the edge of stability since step 400: sharpness 1.01 × 2/η (median over 600 readings; "
        f"middle half 0.99–1.03), while the loss fell from {loss[400]:.3g} to 0.1."
    )


def test_the_numbers_of_a_phase_are_those_of_its_readings():
    step, loss, sharpness = edge_run()
    sharpening, edge = diagnose(step, loss, sharpness, CRITICAL).phases
    assert (sharpening.start, sharpening.end, edge.start, edge.end) == (0, 399, 400, 999)
    assert sharpening.ratio_start == 0.1
    assert sharpening.ratio_end == pytest.approx(199 / 200)
    assert edge.ratio_peak == sharpness.max() / CRITICAL
    assert (sharpening.loss_start, sharpening.loss_end) == (loss[0], loss[399])
    assert (edge.loss_start, edge.loss_peak, edge.loss_end) == (loss[400], loss[400], loss[999])


@pytest.mark.parametrize("every", [2, 10, 100])
def test_sparse_readings_find_the_same_edge_at_the_next_reading(every):
    step, loss, sharpness = edge_run()
    sharpness[step % every != 0] = np.nan
    diagnosis = diagnose(step, loss, sharpness, CRITICAL)
    assert kinds(diagnosis) == ["sharpening", "edge"]
    assert 400 <= diagnosis.onset <= 400 + 2 * every
    assert diagnosis.evidence.readings == 1000 // every


@pytest.mark.parametrize("seed", range(5))
def test_noise_moves_the_onset_little(seed):
    step, loss, sharpness = edge_run()
    noise = np.random.default_rng(seed).normal(size=(2, step.size))
    diagnosis = diagnose(step, loss * np.exp(0.2 * noise[0]), sharpness * (1 + 0.02 * noise[1]), CRITICAL)
    assert kinds(diagnosis) == ["sharpening", "edge"]
    assert abs(diagnosis.onset - 400) <= 25
    assert diagnosis.edge_ratio.median == pytest.approx(1.01, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_noise_below_the_edge_is_no_edge(seed):
    noise = np.random.default_rng(seed).normal(size=2000)
    diagnosis = diagnose(np.arange(2000), decay(2000), 0.93 * CRITICAL * (1 + 0.04 * noise), CRITICAL)
    assert kinds(diagnosis) == ["stable"]
    assert diagnosis.onset is None
    assert diagnosis.edge_ratio is None


def test_the_late_drop_of_cross_entropy_is_an_edge_that_was_left_late():
    _, _, sharpness = edge_run()
    sharpness = np.concatenate([sharpness, 199 * np.exp(-np.arange(800) / 500)])
    loss = np.concatenate([decay(1000), decay(800, 0.1, 1e-4)])
    diagnosis = diagnose(np.arange(1800), loss, sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["sharpening", "edge", "left the edge"]
    last_near = int(np.flatnonzero(sharpness > 0.95 * CRITICAL)[-1])
    assert diagnosis.phases[1].end == last_near
    assert diagnosis.edge_ratio.readings == last_near + 1 - 400
    assert diagnosis.edge_ratio.median == pytest.approx(1.01, abs=0.01)
    assert f"At the edge of stability from step 400 to {last_near}: sharpness 1.01 × 2/η" in str(diagnosis)
    assert "sank to 0.20 × 2/η as the loss faded to 0.0001: the late drop" in str(diagnosis)


def test_an_edge_left_with_a_high_loss_is_not_called_the_late_drop():
    _, _, sharpness = edge_run()
    sharpness = np.concatenate([sharpness, sharpen(400, 190, 120)])
    diagnosis = diagnose(np.arange(1400), np.linspace(2, 1.5, 1400), sharpness, CRITICAL, formula="2/η")
    assert diagnosis.state == "left the edge"
    assert str(diagnosis).endswith("Then the sharpness sank to 0.60 × 2/η, with the loss at 1.5.")
    unread = diagnose(np.arange(1400), np.full(1400, np.nan), sharpness, CRITICAL, formula="2/η")
    assert str(unread).endswith("Then the sharpness sank to 0.60 × 2/η.")


def test_a_dip_that_comes_back_is_part_of_the_edge_and_so_is_one_at_the_end():
    dip = np.full(60, 0.85 * CRITICAL)
    sharpness = np.concatenate([sharpen(300, 20, 199), hover(300), dip, hover(300), dip[:30]])
    diagnosis = diagnose(np.arange(sharpness.size), decay(sharpness.size), sharpness, CRITICAL)
    assert kinds(diagnosis) == ["sharpening", "edge"]
    assert diagnosis.edge_ratio.readings == 660


def test_after_a_step_size_drop_the_edge_has_moved():
    sharpness = np.concatenate([sharpen(400, 20, 199), hover(600), sharpen(500, 203, 299), hover(500, 303)])
    critical = np.where(np.arange(2000) < 1000, 200.0, 300.0)
    diagnosis = diagnose(np.arange(2000), decay(2000), sharpness, critical, formula="2/η")
    assert kinds(diagnosis) == ["sharpening", "edge", "sharpening", "edge"]
    assert starts(diagnosis) == [0, 400, 1000, 1500]
    assert diagnosis.onset == 400
    assert diagnosis.edge_ratio.readings == 500
    (move,) = diagnosis.evidence.moves
    assert (move.step, move.before, move.after) == (1000, 200.0, 300.0)
    assert str(diagnosis).startswith("At the edge of stability again since step 1500: sharpness 1.01 × 2/η")
    assert "Before that it was at the edge from step 400 to 999" in str(diagnosis)
    assert str(diagnosis).endswith("At step 1000 the edge moved from sharpness 200 to 300.")


def test_a_drop_between_two_readings_begins_its_phase_at_the_drop():
    sharpness = np.concatenate([sharpen(400, 20, 199), hover(600), sharpen(500, 203, 280)])
    sharpness[np.arange(1500) % 20 != 3] = np.nan
    critical = np.where(np.arange(1500) < 1010, 200.0, 300.0)
    diagnosis = diagnose(np.arange(1500), decay(1500), sharpness, critical)
    assert kinds(diagnosis) == ["sharpening", "edge", "sharpening"]
    assert starts(diagnosis)[2] == 1010


def test_a_gliding_step_size_moves_the_edge_without_jumps():
    critical = np.linspace(200, 400, 1000)
    sharpness = np.concatenate([sharpen(300, 20, 259), 1.01 * critical[300:]])
    diagnosis = diagnose(np.arange(1000), decay(1000), sharpness, critical)
    assert kinds(diagnosis) == ["sharpening", "edge"]
    assert diagnosis.evidence.moves == ()
    assert diagnosis.edge_ratio.median == pytest.approx(1.01)


def test_a_sharpening_run_is_told_when_it_reaches_the_edge():
    noise = 1 + 0.01 * np.random.default_rng(0).normal(size=600)
    sharpness = sharpen(600, 10, 140) * noise
    diagnosis = diagnose(np.arange(600), decay(600), sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["sharpening"]
    known = (200 - 140) / (130 / 599)
    assert diagnosis.forecast.steps == pytest.approx(known, rel=0.05)
    assert diagnosis.forecast.earliest < known < diagnosis.forecast.latest
    assert f"reaches the edge in about {diagnosis.forecast.steps} steps" in str(diagnosis)


def test_a_forecast_stands_a_few_wild_readings():
    sharpness = sharpen(600, 10, 140)
    sharpness[410:600:10] = 5.0
    diagnosis = diagnose(np.arange(600), decay(600), sharpness, CRITICAL)
    assert diagnosis.forecast.steps == pytest.approx((200 - 140) / (130 / 599), rel=0.05)


def test_a_crossing_far_beyond_what_was_seen_is_not_forecast_to_the_step():
    diagnosis = diagnose(np.arange(600), decay(600), sharpen(600, 10, 12), CRITICAL, formula="2/η")
    assert diagnosis.forecast.steps == pytest.approx((200 - 12) / (2 / 599), rel=1e-6)
    assert str(diagnosis).endswith("; at this rate the edge is some 56,300 steps away.")


def test_a_rise_and_fall_below_the_edge_is_sharpening_and_then_stable():
    sharpness = np.concatenate([sharpen(300, 20, 120), sharpen(900, 120, 2)])
    diagnosis = diagnose(np.arange(1200), decay(1200), sharpness, CRITICAL)
    assert kinds(diagnosis) == ["sharpening", "stable"]
    assert abs(diagnosis.phases[1].start - 300) <= 60
    assert diagnosis.onset is None


def test_a_rise_that_has_ended_gets_no_forecast():
    sharpness = np.concatenate([sharpen(300, 20, 100), np.full(600, 100.0)])
    diagnosis = diagnose(np.arange(900), decay(900), sharpness, CRITICAL, formula="2/η")
    assert diagnosis.state == "sharpening"
    assert diagnosis.forecast is None
    assert str(diagnosis).startswith(
        "Sharpening since step 0: the sharpness rose from 0.10 to 0.50 × 2/η, while the loss fell"
    )


def test_a_short_decrease_at_the_start_is_part_of_sharpening_and_a_long_one_is_not():
    short = np.concatenate([sharpen(30, 40, 20), sharpen(570, 20, 150)])
    assert kinds(diagnose(np.arange(600), decay(600), short, CRITICAL)) == ["sharpening"]
    long = np.concatenate([sharpen(300, 40, 20), sharpen(300, 20, 150)])
    diagnosis = diagnose(np.arange(600), decay(600), long, CRITICAL)
    assert kinds(diagnosis) == ["stable", "sharpening"]
    assert abs(diagnosis.phases[1].start - 300) <= 30


def test_a_rise_that_stays_below_the_start_of_the_run_begins_at_its_foot():
    # A short fall by half, then a slow climb that does not make up for it: "rose from" must be a rise.
    sharpness = np.concatenate([sharpen(20, 26, 12), sharpen(180, 12, 15)])
    diagnosis = diagnose(np.arange(200), decay(200), sharpness, CRITICAL)
    assert kinds(diagnosis) == ["stable", "sharpening"]
    assert starts(diagnosis)[1] == pytest.approx(20, abs=5)
    assert "the sharpness rose from 0.06 to 0.07" in str(diagnosis)


def test_a_flat_sharpness_below_the_edge_is_stable():
    diagnosis = diagnose(np.arange(100), np.full(100, 0.5), np.full(100, 60.0), CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["stable"]
    assert str(diagnosis) == (
        "Below the edge of stability: sharpness 0.30 × 2/η at the last reading, and not rising, "
        "while the loss stayed at 0.5."
    )


def test_a_sharpness_that_stays_far_above_is_not_at_the_edge():
    diagnosis = diagnose(np.arange(300), decay(300), np.full(300, 480.0), CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["above the edge"]
    assert diagnosis.onset is None
    assert "sharpness 2.40 × 2/η" in str(diagnosis)
    assert "unless the critical curvature is another method's" in str(diagnosis)


def test_a_start_above_that_settles_there_is_an_edge_from_the_start():
    sharpness = np.concatenate([sharpen(50, 240, 203), hover(550)])
    diagnosis = diagnose(np.arange(600), decay(600), sharpness, CRITICAL)
    assert kinds(diagnosis) == ["edge"]
    assert diagnosis.onset == 0


def test_what_was_measured_is_called_by_its_name_and_the_edge_by_its_own():
    diagnosis = diagnose(
        np.arange(100),
        [1.0] * 100,
        [50.0] * 100,
        CRITICAL,
        formula="the critical sharpness",
        measured="effective sharpness",
    )
    assert str(diagnosis) == (
        "Below the edge of stability: effective sharpness 0.25 × the critical sharpness at the last reading, "
        "and not rising, while the loss stayed at 1."
    )
    assert str(replace(diagnosis, measured="curvature")).startswith(
        "Below the edge of stability: curvature 0.25 ×"
    )


# Too little to tell


def test_without_readings_it_cannot_tell():
    diagnosis = diagnose(np.arange(10), decay(10), np.full(10, np.nan), CRITICAL)
    assert kinds(diagnosis) == ["cannot tell"]
    assert str(diagnosis) == "Cannot tell: no sharpness was read."


def test_from_one_reading_it_cannot_tell_but_gives_the_number():
    sharpness = np.full(10, np.nan)
    sharpness[4] = 150.0
    diagnosis = diagnose(np.arange(10), decay(10), sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["cannot tell"]
    assert str(diagnosis) == "Cannot tell from one reading: sharpness 0.75 × 2/η."


def test_one_row_is_enough_to_ask():
    assert diagnose([0], [1.0], [150.0], [200.0]).state == "cannot tell"


def test_a_crossing_just_before_the_end_is_too_young_to_tell():
    sharpness = sharpen(600, 100, 200.5)
    diagnosis = diagnose(np.arange(600), decay(600), sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["sharpening", "cannot tell"]
    first = int(np.argmax(sharpness > 200))
    assert str(diagnosis).startswith(
        f"Cannot tell yet: the sharpness went above the edge at step {first} and was 1.00 × 2/η"
    )


def test_bounds_wider_than_the_distance_to_the_edge_hide_it():
    sharpness = sharpen(600, 160, 210)
    diagnosis = diagnose(np.arange(600), decay(600), sharpness, CRITICAL, bounds=np.full(600, 60.0), formula="2/η")
    assert kinds(diagnosis) == ["cannot tell"]
    assert diagnosis.evidence.uncertain == 600
    assert str(diagnosis).startswith(
        "Cannot tell: 600 of 600 readings have error bounds wider than their distance to the edge "
        "(median bound 0.30 × 2/η). Read the sharpness with a smaller tolerance"
    )


def test_the_same_bounds_far_from_the_edge_hide_nothing():
    sharpness = sharpen(600, 20, 100)
    wide = np.full(600, 60.0)
    assert kinds(diagnose(np.arange(600), decay(600), sharpness, CRITICAL, bounds=wide)) == ["sharpening"]


def test_a_few_unconverged_readings_are_set_aside():
    step, loss, sharpness = edge_run()
    bounds = np.full(1000, 0.1)
    sharpness[450:1000:50], bounds[450:1000:50] = 150.0, 100.0
    sharpness[475:1000:50], bounds[475:1000:50] = 150.0, np.nan
    diagnosis = diagnose(step, loss, sharpness, CRITICAL, bounds=bounds)
    assert diagnosis.evidence.uncertain == 22
    assert diagnosis.onset == 400
    assert diagnosis.edge_ratio.readings == 600 - 22
    assert diagnosis.evidence.median_bound == pytest.approx(0.1 / CRITICAL)


# Blow-ups


def test_a_loss_that_is_not_finite_is_a_divergence_with_its_step():
    loss = np.concatenate([decay(100, 2, 1), np.geomspace(1.1, 1e30, 40), np.full(10, np.nan)])
    sharpness = np.concatenate([sharpen(100, 20, 205), np.full(50, 260.0)])
    diagnosis = diagnose(np.arange(150), loss, sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["sharpening", "divergence"]
    assert diagnosis.evidence.non_finite_step == 140
    assert diagnosis.phases[1].start == int(np.argmax(sharpness > 200))
    assert str(diagnosis).startswith("Diverged: the loss is not finite at step 140; the loss grew from")
    assert "× 2/η when that began." in str(diagnosis)


def test_infinity_counts_like_nan():
    loss = np.concatenate([decay(50), [np.inf, np.nan]])
    diagnosis = diagnose(np.arange(52), loss, np.full(52, np.nan), CRITICAL)
    assert kinds(diagnosis) == ["cannot tell", "divergence"]
    assert diagnosis.evidence.non_finite_step == 50
    assert str(diagnosis) == "Diverged: the loss is not finite at step 50."


def test_a_loss_that_was_never_finite_diverged_at_once():
    diagnosis = diagnose([0, 1], [np.inf, np.nan], [np.nan, np.nan], CRITICAL)
    assert kinds(diagnosis) == ["divergence"]
    assert str(diagnosis) == "Diverged: the loss is not finite at step 0."


def test_a_loss_read_every_tenth_step_has_not_diverged_between():
    loss = decay(106)
    loss[np.arange(106) % 10 != 0] = np.nan
    diagnosis = diagnose(np.arange(106), loss, sharpen(106, 10, 100), CRITICAL)
    assert kinds(diagnosis) == ["sharpening"]
    late = np.concatenate([loss, np.full(10, np.nan)])
    diagnosis = diagnose(np.arange(116), late, sharpen(116, 10, 100), CRITICAL)
    assert diagnosis.evidence.non_finite_step == 110


def test_a_divergence_below_the_edge_is_not_blamed_on_the_step_size():
    loss = np.concatenate([decay(60), np.full(40, np.nan)])
    sharpness = np.concatenate([np.full(60, 50.0), np.full(40, np.nan)])
    diagnosis = diagnose(np.arange(100), loss, sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["stable", "divergence"]
    assert str(diagnosis) == (
        "Diverged: the loss is not finite at step 60, with sharpness 0.25 × 2/η at the last reading: "
        "below the edge, so the step size is not the likely cause."
    )


def quadratic(curvatures, w, eta, steps):
    """Gradient descent on ½ Σ λᵢ wᵢ²: the loss before each step."""
    curvatures, w, loss = np.array(curvatures), np.array(w), []
    for _ in range(steps):
        loss.append(0.5 * np.sum(curvatures * w**2))
        w = w * (1 - eta * curvatures)
    return np.array(loss)


def test_a_quadratic_beyond_its_edge_diverges_from_the_start_even_while_its_loss_still_falls():
    loss = quadratic([1.0, 10.0, 204.0], [1.0, 1.0, 1e-3], eta=0.01, steps=600)
    assert np.argmin(loss) > 50
    diagnosis = diagnose(np.arange(600), loss, np.full(600, 204.0), CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["divergence"]
    assert diagnosis.evidence.non_finite_step is None
    assert str(diagnosis).startswith("Diverging: the loss grew from 5.5 to")
    assert str(diagnosis).endswith("since step 0, with sharpness 1.02 × 2/η when that began.")


def test_a_quadratic_within_its_edge_is_stable():
    loss = quadratic([1.0, 10.0, 196.0], [1.0, 1.0, 1e-3], eta=0.01, steps=600)
    assert kinds(diagnose(np.arange(600), loss, np.full(600, 196.0), CRITICAL)) == ["stable"]


def test_an_edge_that_ends_in_a_blow_up_keeps_its_edge():
    _, loss, sharpness = edge_run()
    loss = np.concatenate([loss, np.geomspace(0.11, 1e6, 50)])
    sharpness = np.concatenate([sharpness, np.full(50, 1.5 * CRITICAL)])
    diagnosis = diagnose(np.arange(1050), loss, sharpness, CRITICAL, formula="2/η")
    assert kinds(diagnosis) == ["sharpening", "edge", "divergence"]
    assert diagnosis.onset == 400
    assert "Before that it was at the edge from step 400" in str(diagnosis)


# Systems from the literature


def damian_map(steps, eta, alpha, beta, x, y):
    """x' = −(1 + ηy) x,  y' = y + η (α − βx²/2): offset along u, and sharpness above 2/η."""
    xs, ys = [], []
    for _ in range(steps):
        xs.append(x)
        ys.append(y)
        x, y = -(1 + eta * y) * x, y + eta * (alpha - beta * x**2 / 2)
    return np.array(xs), np.array(ys)


@pytest.mark.parametrize(("alpha", "beta", "x"), [(2.0, 20.0, 0.05), (1.0, 10.0, 0.02), (4.0, 40.0, 0.3)])
def test_the_self_stabilisation_map_sharpens_and_then_is_at_its_edge(alpha, beta, x):
    steps, eta = 6000, 0.01
    x, y = damian_map(steps, eta, alpha, beta, x, -20.0)
    loss = decay(steps) + x**2 / eta
    diagnosis = diagnose(np.arange(steps), loss, 2 / eta + y, 2 / eta)
    assert kinds(diagnosis)[:2] == ["sharpening", "edge"]
    assert diagnosis.onset == int(np.argmax(y > 0))
    # Over whole cycles the mean of y is zero.
    assert diagnosis.edge_ratio.median == pytest.approx(1.0, abs=0.05)


def uv_model(curvature, width, steps, error=0.1):
    """f = vᵀu/√n on one point, η = 1: the exact recursion of f − y and λ."""
    loss, curvatures = [], []
    for _ in range(steps):
        loss.append(error**2 / 2)
        curvatures.append(curvature)
        # f = f − y here, as y = 0.
        error, curvature = (
            error * (1 - curvature + error**2 / width),
            curvature + error**2 / width * (curvature - 4),
        )
    return np.array(loss), np.array(curvatures)


@pytest.mark.parametrize("curvature", [2.2, 2.5, 3.0, 3.5])
def test_the_uv_model_between_two_and_four_is_a_catapult(curvature):
    loss, sharpness = uv_model(curvature, width=100, steps=300)
    diagnosis = diagnose(np.arange(300), loss, sharpness, 2.0, formula="2/η")
    assert kinds(diagnosis)[0] == "catapult"
    assert "edge" not in kinds(diagnosis)
    catapult = diagnosis.phases[0]
    assert catapult.loss_peak == loss.max()
    assert catapult.ratio_end < 1 < catapult.ratio_start == curvature / 2
    assert catapult.start == 0
    assert f"Before that: catapult from step 0 to {catapult.end}: the loss rose from 0.005" in str(diagnosis)


def test_the_uv_model_below_two_is_stable_and_beyond_four_diverges():
    loss, sharpness = uv_model(1.5, width=100, steps=300)
    assert kinds(diagnose(np.arange(300), loss, sharpness, 2.0)) == ["stable"]
    loss, sharpness = uv_model(4.5, width=100, steps=10)
    assert kinds(diagnose(np.arange(10), loss, sharpness, 2.0)) == ["divergence"]


def test_a_catapult_at_the_last_reading_says_so():
    loss, sharpness = uv_model(3.0, width=100, steps=300)
    end = diagnose(np.arange(300), loss, sharpness, 2.0).phases[0].end + 1
    diagnosis = diagnose(np.arange(end), loss[:end], sharpness[:end], 2.0, formula="2/η")
    assert kinds(diagnosis) == ["catapult"]
    assert str(diagnosis).startswith("Catapult from step 0 to")


def test_a_spike_that_throws_a_sharpening_run_to_lower_sharpness_is_a_catapult():
    sharpness = np.concatenate([sharpen(100, 150, 204), np.geomspace(204, 90, 20), np.full(300, 90.0)])
    loss = np.concatenate(
        [decay(100, 1, 0.8), np.geomspace(0.8, 7, 10), np.geomspace(7, 0.6, 10), decay(300, 0.6, 0.5)]
    )
    diagnosis = diagnose(np.arange(420), loss, sharpness, CRITICAL)
    assert kinds(diagnosis) == ["sharpening", "catapult", "stable"]
    assert diagnosis.onset is None


def minimalist(eta, x, y, steps):
    """Gradient descent on (1 − x²y²)²/4: loss and largest Hessian eigenvalue in closed form."""
    loss, sharpness = [], []
    for _ in range(steps):
        s, g = x**2 + y**2, x * y
        root = np.sqrt(s**2 * (1 - 3 * g**2) ** 2 + 4 * g**2 * (3 - 10 * g**2 + 7 * g**4))
        sharpness.append(0.5 * (s * (3 * g**2 - 1) + root))
        loss.append((1 - g**2) ** 2 / 4)
        x, y = x - eta * x * y**2 * (g**2 - 1), y - eta * x**2 * y * (g**2 - 1)
    return np.array(loss), np.array(sharpness)


@pytest.mark.parametrize("critical", [8.0, 10.0, 12.0])
def test_the_minimalist_example_ends_just_below_its_edge(critical):
    loss, sharpness = minimalist(2 / critical, 2.5, 0.4001, 1000)
    diagnosis = diagnose(np.arange(1000), loss, sharpness, critical)
    assert diagnosis.state == "edge"
    assert diagnosis.phases[-1].ratio_end == pytest.approx(1.0, abs=0.01)
    assert diagnosis.phases[-1].ratio_end < 1


# Laws


@settings(max_examples=60)
@given(
    sharpness=st.lists(st.one_of(st.floats(-50, 1000), st.just(float("nan"))), min_size=1, max_size=60),
    data=st.data(),
)
def test_the_phases_tile_the_run_whatever_the_series(sharpness, data):
    rows = len(sharpness)
    loss = data.draw(
        st.lists(
            st.one_of(st.floats(0, 1e9), st.just(float("nan")), st.just(float("inf"))),
            min_size=rows,
            max_size=rows,
        )
    )
    critical = data.draw(st.lists(st.sampled_from([100.0, 200.0, 210.0]), min_size=rows, max_size=rows))
    step = np.cumsum(data.draw(st.lists(st.integers(1, 20), min_size=rows, max_size=rows)))
    diagnosis = diagnose(step, loss, sharpness, critical)
    assert diagnosis.phases[0].start == step[0]
    assert diagnosis.phases[-1].end == step[-1]
    for before, after in zip(diagnosis.phases, diagnosis.phases[1:], strict=False):
        assert before.start <= before.end == after.start - 1
    assert str(diagnosis).endswith(".")
    # The names of the edge and of what was measured stand in their places, whatever words they are made of.
    called = replace(diagnosis, formula="the edge of sharpness", measured="effective sharpness")
    places = str(replace(diagnosis, formula="F", measured="M"))
    places = re.sub(r"\bM\b", called.measured, re.sub(r"× F\b", f"× {called.formula}", places))
    assert str(called) == places


@given(scale=st.floats(1e-3, 1e3))
def test_units_of_curvature_do_not_matter(scale):
    step, loss, sharpness = edge_run(100, 100)
    scaled = diagnose(step, loss, sharpness * scale, CRITICAL * scale)
    assert starts(scaled) == starts(diagnose(step, loss, sharpness, CRITICAL))


def test_a_diagnosis_is_written_down_and_read_back():
    diagnosis = diagnose(*edge_run(), CRITICAL)
    assert isinstance(diagnosis, Diagnosis)
    assert decode(encode(diagnosis)) == diagnosis


# Refusals


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([], [], [], 200.0), "a series without rows: there is no step to diagnose"),
        (([0, 0], [1, 1], [1, 1], 200.0), "steps that do not increase: .* Sort the rows by step"),
        (([0, 1], [1], [1, 1], 200.0), r"loss of shape \(1,\) beside 2 steps"),
        (
            ([0, 1], [1, 1], [[1, 2], [1, 2]], 200.0),
            r"sharpness of shape .* of several eigenvalues give the largest",
        ),
        (([0, 1], [1, 1], [1, 1], [200.0, -1.0]), r"critical_curvature=-1\.0: a method loses stability"),
    ],
)
def test_series_that_do_not_fit_together_are_refused(arguments, sentence):
    with pytest.raises(SettingError, match=sentence):
        diagnose(*arguments)
