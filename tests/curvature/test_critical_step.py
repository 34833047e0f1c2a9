"""The critical step against its definition, closed forms, and a fine scan."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from edgewise.curvature import CriticalStep, critical_step, directional_curvature
from edgewise.foundation import SettingError
from edgewise.objectives import Objective

POSITIVE = st.floats(1e-6, 1e6)


@given(curvature=POSITIVE, slope=POSITIVE, guess=st.floats(1e-2, 1e2), level=st.floats(-10, 10))
def test_of_a_quadratic_it_is_exact(curvature: float, slope: float, guess: float, level: float) -> None:
    """L(η) = level − slope·η + curvature·η²/2 comes back at 2·slope/curvature."""
    exact = 2 * slope / curvature
    # The parabola's depth must not drown in the rounding of its level.
    assume(slope * exact > 1e-6 * max(1.0, abs(level)))
    found = critical_step(
        lambda eta: level - slope * eta + curvature * eta**2 / 2, level, guess=guess * exact, passes=40
    )
    assert found.ending == "found"
    assert found.step == pytest.approx(exact, rel=0.02)
    assert found.low < exact * (1 + 1e-6) and found.high > exact * (1 - 1e-6)


def test_on_a_quadratic_it_is_the_curvature_along_the_gradient() -> None:
    H = torch.diag(torch.tensor([5.0, 2.0, 0.5], dtype=torch.float64))
    objective = Objective.from_function(lambda w: w @ H @ w / 2, 3, start=torch.tensor([1.0, -2.0, 3.0]).double())
    point = objective.at(objective.start)
    g = point.gradient
    found = critical_step(
        lambda eta: float(objective.value(point.w - eta * g)), float(point.value), guess=1.0, rtol=1e-3
    )
    assert found.sharpness == pytest.approx(directional_curvature(point, g).value, rel=1e-6)
    assert found.passes <= 5


def quartic(eta: float) -> float:
    return (eta - 1) ** 2 * (1 + eta**2)


def steep(eta: float) -> float:
    return -eta + 1e-3 * math.expm1(9 * eta)


@pytest.mark.parametrize("curve", [quartic, steep, lambda eta: -math.sin(eta)])
@pytest.mark.parametrize("guess", [1e-3, 0.1, 1.0])
def test_elsewhere_the_bracket_holds_what_a_fine_scan_finds(curve: object, guess: float) -> None:
    assert callable(curve)
    etas = np.arange(1, 400_001) * 1e-5
    scanned = next(float(eta) for eta in etas if curve(eta) > curve(0.0))
    found = critical_step(curve, curve(0.0), guess=guess, rtol=0.01, passes=40)
    assert found.ending == "found"
    assert found.low <= scanned + 1e-5 and found.high >= scanned - 1e-5
    assert found.step == pytest.approx(scanned, rel=0.02)


def test_a_wall_of_overflow_counts_as_risen() -> None:
    found = critical_step(lambda eta: -eta if eta < 3 else math.nan, 0.0, guess=1.0, rtol=0.01, passes=40)
    assert found.low < 3 <= found.high
    assert found.high - found.low <= 0.011 * found.low
    assert critical_step(lambda eta: -eta if eta < 3 else math.inf, 0.0, guess=50.0, passes=40).high <= 3.2


def test_ways_in_which_there_is_none() -> None:
    uphill = critical_step(lambda eta: eta, 0.0, guess=1.0)
    assert (uphill.ending, uphill.step, uphill.sharpness, uphill.passes) == ("ascends", 0.0, math.inf, 12)
    endless = critical_step(lambda eta: -eta, 0.0, guess=1.0)
    assert (endless.ending, endless.step, endless.sharpness) == ("never rises", math.inf, 0.0)
    cut = critical_step(quartic, 1.0, guess=1.0, rtol=1e-9, passes=2)
    assert cut.ending == "out of passes"
    assert cut.low < cut.step < cut.high


def test_a_rise_within_the_noise_is_none() -> None:
    flat = critical_step(lambda eta: 1e-9 * eta, 0.0, guess=1.0, noise=1e-6, passes=40)
    assert flat.step == pytest.approx(1000, rel=0.06)


def test_its_bounds_are_those_of_the_bracket() -> None:
    step = CriticalStep(step=0.5, low=0.4, high=0.8, ending="found", passes=3)
    assert (step.sharpness, step.bounds) == (4.0, (2.5, 5.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"present": math.nan}, "a present loss of nan: no step can be said to raise it"),
        ({"guess": 0.0}, "guess=0.0: a step is a positive multiple"),
        ({"guess": math.inf}, "guess=inf: a step is a positive multiple"),
        ({"rtol": 0.0}, "rtol=0.0: it is a share of the step"),
        ({"passes": 0}, "passes=0: nothing can be found without looking"),
    ],
)
def test_what_cannot_be_searched_is_refused(change: dict[str, float], message: str) -> None:
    asked = {"present": 1.0, "guess": 1.0, **change}
    with pytest.raises(SettingError, match=message):
        critical_step(quartic, asked.pop("present"), **asked)  # type: ignore[arg-type]
