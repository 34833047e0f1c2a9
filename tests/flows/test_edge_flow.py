"""The edge flow against the reduced map, the exact even and odd split, and a network's descent."""

import math

import numpy as np
import pytest
import torch

from edgewise.flows import EdgeFlow, RodFlow
from edgewise.flows.rods.symmetrized import look_at_ends, relaxation, turned
from edgewise.foundation import FlowError, SettingError, decode, encode
from edgewise.methods import Adam, GradientDescent
from edgewise.objectives import Objective
from edgewise.theory import SelfStabilization
from reference.edges import follow, minimal
from reference.matrices import with_spectrum
from reference.runs import network

ETA, G, S1 = 0.1, 0.002, 1.0


def test_gradient_descent_splits_into_an_even_and_an_odd_part_without_approximation():
    objective, eta = network(), 0.3
    numbers = torch.Generator().manual_seed(0)
    c = objective.start
    d = 0.1 * torch.randn(c.shape, generator=numbers, dtype=torch.float64)
    w = c + d
    for step in range(1, 9):
        ends = look_at_ends(objective, c, d)
        c, d = c - eta * ends.mean, -d + eta * ends.half_difference
        w = w - eta * objective.gradient(w)
        torch.testing.assert_close(w, c + (-1) ** step * d, rtol=1e-11, atol=1e-13)


def test_means_and_half_differences_of_iterates_obey_their_equations_exactly():
    objective, eta = network(), 0.3
    w = [objective.start]
    for _ in range(6):
        w.append(w[-1] - eta * objective.gradient(w[-1]))
    for t in range(4):
        c, d = (w[t] + w[t + 1]) / 2, (w[t + 1] - w[t]) / 2
        after_c, after_d = (w[t + 1] + w[t + 2]) / 2, (w[t + 2] - w[t + 1]) / 2
        ends = look_at_ends(objective, c, d)
        torch.testing.assert_close(after_c - c, -eta * ends.mean, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(after_d, -eta / 2 * objective.gradient(c + d), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("curvature", [1.5, 1.9, 2.1])
def test_the_averaged_half_difference_has_half_the_growth(curvature):
    """Why the centre of two iterates is not the centre of the flow: it keeps (2 − ηλ)/(ηλ) of the oscillation."""
    w = [(1 - curvature) ** t for t in range(3)]
    c, d = (w[0] + w[1]) / 2, (w[1] - w[0]) / 2
    assert abs(c / d) == pytest.approx(abs(2 - curvature) / curvature)
    assert abs((w[2] - w[1]) / (w[1] - w[0])) == pytest.approx(curvature - 1)
    assert curvature / 2 * d == pytest.approx(-((w[2] - w[1]) / 2 - (w[2] - w[0]) / 4))


def test_on_the_minimal_toy_it_is_the_reduced_map():
    x0 = 0.05
    objective = minimal(2 / ETA, S1, G, start=(0.0, 0.0))
    flow = EdgeFlow(GradientDescent(ETA), displacement=x0)  # of a start at zero, of length one
    states = list(follow(flow, objective, 120))
    x, y = SelfStabilization(G * S1, S1**2).trajectory(x0, 0.0, ETA, 120)
    np.testing.assert_allclose([float(w[1]) for w, _ in states][:40], y[:40], rtol=1e-10, atol=1e-14)
    rising = np.maximum(abs(x), x0)  # the flow does not fall below its displacement
    np.testing.assert_allclose([state.x for _, state in states][:40], rising[:40], rtol=1e-10)
    for w, state in states:
        assert abs(float(w[0])) < 1e-15
        assert abs(float(state.u[0])) == pytest.approx(1.0)


def test_the_oscillation_averages_to_delta():
    g = 0.05
    x0 = 0.8 * math.sqrt(2 * g / S1)
    objective = minimal(2 / ETA, S1, g, start=(0.0, 0.0))
    period = round(SelfStabilization(g * S1, S1**2).small_cycle_period(ETA))
    flow = EdgeFlow(GradientDescent(ETA), displacement=x0)
    states = [state for _, state in follow(flow, objective, period)][1:]
    assert np.mean([state.x**2 for state in states]) == pytest.approx(2 * g / S1, rel=0.05)


def test_it_predicts_means_over_the_two_ends():
    objective = network()
    flow = EdgeFlow(GradientDescent(0.1), displacement=1e-2)
    w = objective.start
    state = flow.init(objective, w, seed=0)
    prediction = flow.predict(objective, objective.at(w), state)
    ends = [objective.evaluate(w + sign * state.x * state.u) for sign in (1, -1)]
    assert prediction.loss == pytest.approx(float(sum(end.value for end in ends)) / 2, rel=1e-12)
    squared = float(sum(end.gradient.square().sum() for end in ends)) / 2
    assert prediction.gradient_norm == pytest.approx(math.sqrt(squared), rel=1e-12)
    assert state.x == pytest.approx(1e-2 * float(w.norm()))
    assert prediction.variance == (state.x**2,)
    assert prediction.sharpness == pytest.approx(float(state.u @ objective.at(w).hvp(state.u)), rel=1e-2)


def test_the_direction_turns_to_the_top_eigenvector_where_others_are_negative():
    A = with_spectrum(torch.tensor([4.0, 3.0, 0.0, -7.0]).double())
    top = torch.linalg.eigh(A)[1][:, -1]
    u = torch.ones(4).double() / 2
    for _ in range(100):
        product = A @ u
        u = turned(u, product, u @ product, product.norm())
        u = u / u.norm()
    assert abs(float(u @ top)) == pytest.approx(1.0, abs=1e-6)
    assert torch.equal(turned(u, 0 * u, torch.tensor(0.0).double(), torch.tensor(0.0).double()), u)


def test_the_centre_relaxes_along_the_oscillation_as_the_gradient_flow_does():
    objective = Objective.from_function(
        lambda w: 0.5 * (20 * w[0] ** 2 + w[1] ** 2), 2, start=torch.ones(2).double()
    )
    flow = EdgeFlow(GradientDescent(ETA), displacement=1e-3)
    (_, (w, _)) = list(follow(flow, objective, 1))
    assert float(w[0]) == pytest.approx(math.exp(-2.0), rel=1e-4)
    assert float(w[1]) == pytest.approx(1 - ETA, rel=1e-4)
    assert relaxation(2.0) == pytest.approx(1 - math.exp(-2.0))


def test_an_oscillation_that_overflows_ends_it():
    objective = Objective.from_function(lambda w: torch.cosh(w).sum() ** 4, 1, start=torch.tensor([0.0]).double())
    with pytest.raises(FlowError, match=r"an oscillation whose ends have no finite gradient.*smaller lr"):
        list(follow(EdgeFlow(GradientDescent(10.0)), objective, 60))


def test_what_it_does_not_describe_is_refused():
    with pytest.raises(SettingError, match=r"EdgeFlow\(Adam\(…\)\).*gradient descent only"):
        EdgeFlow(Adam(0.1))
    for displacement in (0.0, -1.0, 1.0):
        with pytest.raises(SettingError, match=r"displacement=.*grows only out of one.*displacement=1e-5"):
            EdgeFlow(GradientDescent(0.1), displacement)


def test_its_state_is_written_down_and_goes_on_bit_for_bit():
    objective = network()
    flow = EdgeFlow(GradientDescent(0.3), displacement=1e-3)
    assert decode(encode(flow)) == flow
    states = list(follow(flow, objective, 12))
    w, state = states[5]
    tensors: dict[str, torch.Tensor] = {}
    state = decode(encode(state, tensors), tensors)
    for later, _ in states[6:]:
        w, state = flow.advance(objective, objective.at(w), state, 0.3)
        assert torch.equal(w, later)


def two_valleys():
    """Two orthogonal modes: the first starts on top, and after a while the second is."""
    start = torch.tensor([0.0, 0.0, 0.0]).double()
    return Objective.from_function(
        lambda w: 0.5 * ((4 - w[2]) * w[0] ** 2 + (3 + w[2]) * w[1] ** 2) - 0.2 * w[2], 3, start=start
    )


@pytest.mark.parametrize(
    "flow", [EdgeFlow(GradientDescent(ETA)), RodFlow(GradientDescent(ETA))], ids=["edge", "rod"]
)
def test_a_mode_that_rises_orthogonally_to_the_oscillation_is_found(flow):
    states = [state for _, state in follow(flow, two_valleys(), 60)]
    assert abs(float(states[20].u[0])) == pytest.approx(1.0)  # w₂ = 0.4: 3.6 over 3.4
    assert abs(float(states[-1].u[1])) == pytest.approx(1.0, abs=1e-3)  # 1.2: 2.8 under 4.2
