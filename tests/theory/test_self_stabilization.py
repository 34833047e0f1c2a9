"""The reduced dynamics against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.theory import SelfStabilization


def upward_crossings(y):
    return np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))


def test_whole_cycles_average_to_delta_and_to_the_edge():
    reduced, lr = SelfStabilization(alpha=0.4, beta=1.0), 0.01  # η√α = 0.0063
    x, y = reduced.trajectory(0.3 * reduced.delta, 0.0, lr, 6000)
    first, *_, last = upward_crossings(y)
    x, y = x[first:last], y[first:last]
    assert (x**2).mean() == pytest.approx(reduced.delta**2, rel=0.02)
    assert abs(y.mean()) < 0.01 * abs(y).max()  # not zero: a cycle that grows is not quite closed
    # The excess ½Sx² at S = 2/η + y has the mean δ²/η, up to ½⟨x²y⟩.
    assert (0.5 * (2 / lr + y) * x**2).mean() == pytest.approx(reduced.excess_loss(lr), rel=0.02)


def test_the_conserved_quantity_gives_the_largest_y_of_the_first_cycle():
    reduced, lr = SelfStabilization(alpha=0.4, beta=1.0), 0.01
    x0 = 0.3 * reduced.delta
    _, y = reduced.trajectory(x0, 0.0, lr, 1500)
    largest = y[: upward_crossings(y)[0]].max()
    predicted = reduced.largest_y(x0, 0.0)
    assert predicted**2 == pytest.approx(
        2 * (0.4 * math.log(1 / 0.3) - 0.25 * (reduced.delta**2 - x0**2)), rel=1e-12
    )
    assert predicted < largest < 1.01 * predicted  # the map lets it grow


def test_the_map_lets_cycles_grow_and_smaller_steps_less():
    reduced = SelfStabilization(alpha=0.4, beta=1.0)
    x0, growth = 0.3 * reduced.delta, []
    for lr in (0.02, 0.01):
        x, y = reduced.trajectory(x0, 0.0, lr, round(60 / lr))
        h = [reduced.conserved(*pair) for pair in zip(x, y, strict=True)]
        growth.append(h[-1] - h[0])
    assert growth[0] > 1.6 * growth[1] > 0


def test_small_cycles_have_the_period_of_the_linearised_map():
    reduced, lr = SelfStabilization(alpha=1.0, beta=3.0), 0.01
    _, y = reduced.trajectory(1.001 * reduced.delta, 0.0, lr, 4000)
    periods = np.diff(upward_crossings(y))
    assert periods.mean() == pytest.approx(reduced.small_cycle_period(lr), rel=2e-3)


def test_the_map_is_its_recursion():
    α, β, η, x, y = 0.3, 2.0, 0.05, 0.1, -0.2
    xs, ys = SelfStabilization(α, β).trajectory(x, y, η, 20)
    for t in range(21):
        assert (xs[t], ys[t]) == (pytest.approx(x, rel=1e-12), pytest.approx(y, rel=1e-12))
        x, y = -(1 + η * y) * x, y + η * (α - β * x**2 / 2)


@settings(max_examples=25)
@given(alpha=st.floats(1e-3, 1e3), beta=st.floats(1e-3, 1e3), lr=st.floats(1e-4, 1.0))
def test_delta_at_the_edge_repeats_itself_with_period_two(alpha, beta, lr):
    reduced = SelfStabilization(alpha, beta)
    x, y = reduced.trajectory(reduced.delta, 0.0, lr, 2)
    np.testing.assert_allclose(x, reduced.delta * np.array([1.0, -1.0, 1.0]), rtol=1e-9)
    np.testing.assert_allclose(y / (alpha * lr), 0.0, atol=1e-9)


def test_inner_products_give_alpha_and_beta_without_the_component_along_u():
    numbers = np.random.default_rng(0)
    u = np.zeros(5)
    u[0] = 1.0
    slope, gradient = numbers.standard_normal(5), numbers.standard_normal(5)
    gradient = gradient - slope * (gradient @ slope + 1.0) / (slope @ slope)  # so that α > 0 at first
    reduced = SelfStabilization.from_inner_products(gradient @ slope, slope @ slope, gradient @ u, slope @ u)
    assert reduced.alpha == pytest.approx(-gradient[1:] @ slope[1:])
    assert reduced.beta == pytest.approx(slope[1:] @ slope[1:])


@pytest.mark.parametrize(
    ("alpha", "beta"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)]
)
def test_rates_that_never_reach_or_never_leave_the_edge_are_refused(alpha, beta):
    with pytest.raises(SettingError, match=r"(alpha|beta)=.*(does not reach the edge|diverges)"):
        SelfStabilization(alpha, beta)
