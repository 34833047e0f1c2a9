"""A short run is what it was when its curve was committed."""

import json

import numpy as np
import pytest

import edgewise as ew
from golden.digits import GOLDEN, SERIES, STEP_SIZE, curve, golden_run, problem


@pytest.fixture(scope="module")
def run() -> ew.Run:
    return golden_run()


@pytest.mark.parametrize("name", SERIES)
def test_the_curve_is_the_golden_one(run: ew.Run, name: str) -> None:
    golden = np.array(json.loads(GOLDEN.read_text())[name])
    # Other chunks, which only change the rounding, move the curve by 1e-15; other processors may do more.
    np.testing.assert_allclose(np.array(curve(run)[name]), golden, rtol=1e-9, atol=1e-12)


def test_the_tracked_sharpness_is_the_converged_one_within_its_bounds(run: ew.Run) -> None:
    one = run.dataset.sel(process="gd").isel(step=slice(None, None, 3))
    errors = abs(one.sharpness - one.converged)
    assert bool((errors <= one.sharpness_bound).all())
    assert bool((errors <= 2e-3 * one.converged.sel(rank=1)).all())


def test_watching_changes_nothing(run: ew.Run) -> None:
    bare = ew.evolve({"gd": ew.GradientDescent(STEP_SIZE)}, problem(), 60)
    np.testing.assert_array_equal(bare.loss.values, run.loss.values)


def test_the_run_is_worth_remembering(run: ew.Run) -> None:
    ratio = run.converged.values[0, ::3, 0] * STEP_SIZE / 2
    assert ratio[0] > 1 > ratio[4]  # starts above the edge, is thrown below it,
    assert (np.diff(ratio[4:]) > 0).mean() > 0.9  # sharpens,
    assert ratio[-1] > 1  # and crosses it again
