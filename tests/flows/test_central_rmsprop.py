"""The central flow of the adaptive methods against closed forms and literal runs."""

import math

import numpy as np
import pytest
import torch

from edgewise.flows import CentralFlow
from edgewise.flows.central.edge import Edge, slopes_of
from edgewise.flows.central.second_moment import second_moment
from edgewise.flows.central.stiff_modes import StiffModes
from edgewise.foundation import decode, encode
from edgewise.linalg import PositiveDiagonal
from edgewise.methods import GradientDescent, RMSProp, ScalarRMSProp
from edgewise.objectives import Objective
from reference.runs import network

AT_THE_EDGE = [ScalarRMSProp(0.5, 0.9), RMSProp(0.03, 0.9, 1e-2)]
BELOW_IT = [ScalarRMSProp(0.01, 0.99), RMSProp(0.001, 0.99)]


def follow(flow, objective, start, steps):
    w, state = start, flow.init(objective, start, seed=0)
    points, states = [w], [state]
    for _ in range(steps):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(state.step))
        points.append(w)
        states.append(state)
    return torch.stack(points), states


def discrete(method, objective, start, steps):
    w, state, points = start, method.init(start), [start]
    for _ in range(steps):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        points.append(w)
    return torch.stack(points)


def a_network():
    """A network on the way to sharper places."""
    objective = network()
    return objective, 0.3 * objective.start


# One mode of scalar RMSProp, in closed form.


@pytest.mark.parametrize("beta2", [0.9, 0.99, 0.5])
@pytest.mark.parametrize("factor", [1.0, 0.4])
def test_one_critical_mode_of_scalar_rmsprop_has_a_closed_form(beta2, factor):
    """The instantaneous problem, over a time too short for anything to move, against the formula of one mode."""
    objective = network()
    point, eta = objective.at(factor * objective.start), 0.3
    H = point.hvp_block(torch.eye(objective.size, dtype=torch.float64))
    S, u = (each[..., -1] for each in torch.linalg.eigh(H))
    nu = (S * eta / 2) ** 2  # so that the mode is exactly critical
    metric = (nu.sqrt() / eta)[None]
    stiff = StiffModes(curvatures=(S / metric), directions=(u / metric.sqrt())[:, None], metric=metric)
    moment, time = second_moment(ScalarRMSProp(eta, beta2, eps=0.0)), 1e-7
    edge = Edge.at(point.gradient, stiff, slopes_of(stiff.directions, point), 1, moment, nu[None], eta, time)
    found = edge.hold(-stiff.relax(point.gradient, time))
    variance = float(found.solution / metric)

    g, slope = point.gradient, point.third(u, u)
    expected = (beta2 * float(-g @ slope) + (1 - beta2) * float(S**2 / 4 - g @ g / eta**2)) / (
        beta2 * float(slope @ slope) / 2 + (1 - beta2) * float(S**2) / eta**2
    )
    assert abs(expected) > 1e-6
    assert variance == pytest.approx(max(0.0, expected), rel=1e-5)


def test_a_quadratic_holds_scalar_rmsprop_at_the_edge_by_its_denominator_alone():
    # ∇S = 0: the oscillation feeds ν until 2√ν/η = S, so that with ∇L = 0 ν = S²σ² and σ = η/2.
    S, eta = 3.0, 0.1
    objective = Objective.from_function(lambda w: 0.5 * S * w[0] ** 2 + 0.5 * 0.01 * w[1] ** 2, 2)
    flow = CentralFlow(ScalarRMSProp(eta, beta2=0.9))
    start = torch.tensor([0.06, 0.6], dtype=torch.float64)
    points, states = follow(flow, objective, start, 60)
    state = states[-1]
    prediction = flow.predict(objective, objective.at(points[-1]), state)
    gradient = float(objective.gradient(points[-1]).norm())
    assert flow.critical_curvature_at(objective.at(points[-1]), state, 60) == pytest.approx(S, rel=1e-3)
    assert prediction.sharpness == pytest.approx(S, rel=1e-3)
    assert prediction.variance[0] == pytest.approx(eta**2 / 4 - gradient**2 / S**2, rel=1e-2)
    x, nu, squares = 0.01, float(states[0].second_moment), []
    for t in range(4000):
        nu = 0.9 * nu + 0.1 * (S * x) ** 2
        x -= eta * S * x / math.sqrt(nu)
        squares.append(x * x) if t >= 1000 else None
    assert np.mean(squares) == pytest.approx(eta**2 / 4, rel=0.02)


# Beside the discrete runs.


@pytest.mark.parametrize(
    ("method", "steps"),
    [(ScalarRMSProp(0.5, 0.9), 30), (RMSProp(0.03, 0.9, 1e-2), 40)],
    ids=lambda each: type(each).__name__,
)
def test_on_a_network_it_is_held_at_the_edge_as_the_method_is(method, steps):
    objective, start = a_network()
    flow = CentralFlow(method)
    points, states = follow(flow, objective, start, steps)
    late = states[-8:]
    assert all(s.directions.shape[1] >= 1 for s in late)
    assert max(s.edge_ratios[0] for s in late) <= 1.01
    assert min(s.edge_ratios[0] for s in late) >= 0.97
    assert max(s.oscillation.residual for s in states) <= 1e-7
    descent = discrete(method, objective, start, steps)
    midpoint = (descent[-3] + 2 * descent[-2] + descent[-1]) / 4
    assert float((midpoint - points[-2]).norm()) < 0.25 * float((midpoint - start).norm())


@pytest.mark.parametrize("method", AT_THE_EDGE, ids=lambda each: type(each).__name__)
def test_a_stored_state_goes_on_bit_for_bit(method):
    objective, start = a_network()
    flow = CentralFlow(method)
    points, states = follow(flow, objective, start, 6)
    tensors = {}
    tree = encode(states[3], tensors)
    restored = decode(tree, {name: tensor.clone() for name, tensor in tensors.items()})
    w, state = points[3], restored
    for _ in range(3):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(state.step))
    assert torch.equal(w, points[6])
    assert torch.equal(state.second_moment, states[6].second_moment)


# The second moment.


def test_the_second_moment_starts_where_the_method_starts_it():
    objective, start = a_network()
    g = objective.gradient(start)
    scalar = CentralFlow(ScalarRMSProp(0.1, 0.9)).init(objective, start, 0)
    each = CentralFlow(RMSProp(0.1, 0.9)).init(objective, start, 0)
    torch.testing.assert_close(scalar.second_moment, (g @ g)[None])
    torch.testing.assert_close(each.second_moment, 0.1 * g**2)
    assert CentralFlow(GradientDescent(0.1)).init(objective, start, 0).second_moment.tolist() == [1.0]
    assert (scalar.cost.gradients, each.cost.gradients) == (1, 1)


@pytest.mark.parametrize("method", BELOW_IT, ids=lambda each: type(each).__name__)
def test_far_below_the_edge_the_second_moment_is_that_of_the_method(method):
    # Slow enough that the gradient hardly changes: ν then depends on the average alone.
    objective = Objective.from_function(lambda w: (torch.tensor([1.0, -2.0]).double() * w).sum(), 2)
    start = objective.start
    states = follow(CentralFlow(method), objective, start, 30)[1]
    w, state, seen = start, method.init(start), []
    for _ in range(31):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        seen.append(torch.as_tensor(state.square_average, dtype=torch.float64).reshape(-1))
    for flowing, averaged in zip(states, seen, strict=True):
        torch.testing.assert_close(flowing.second_moment, averaged, rtol=5e-3, atol=0.0)


def test_an_average_that_keeps_nothing_is_renewed_at_once():
    moment = second_moment(ScalarRMSProp(0.1, beta2=0.0))
    assert moment.renewed(1e-3) == 1.0
    assert second_moment(GradientDescent(0.1)).renewed(1.0) == 0.0
    assert second_moment(RMSProp(0.1, 0.99)).renewed(1.0) == pytest.approx(1 - math.exp(-1 / 99))


def test_the_metric_and_its_slope():
    moment, nu = second_moment(RMSProp(0.1, 0.99, eps=0.5)), torch.tensor([4.0, 9.0, 0.0]).double()
    torch.testing.assert_close(moment.metric(nu, 0.1), torch.tensor([25.0, 35.0, 5.0]).double())
    step = 1e-6
    numeric = (moment.metric(nu + step, 0.1) - moment.metric(nu - step, 0.1)) / (2 * step)
    torch.testing.assert_close(moment.slope(nu, 0.1)[:2], numeric[:2], rtol=1e-6, atol=0.0)
    assert torch.isfinite(moment.slope(nu, 0.1)).all()


def test_what_the_method_divides_by_is_told():
    objective, start = a_network()
    point = objective.at(start)
    scalar, each = CentralFlow(ScalarRMSProp(0.1, 0.9, 1e-3)), CentralFlow(RMSProp(0.1, 0.9, 1e-3))
    state = each.init(objective, start, 0)
    preconditioner = each.preconditioner(point, state)
    assert isinstance(preconditioner, PositiveDiagonal)
    torch.testing.assert_close(preconditioner.entries, state.second_moment.sqrt() + 1e-3)
    assert each.critical_curvature_at(point, state, 0) == pytest.approx(20.0)
    state = scalar.init(objective, start, 0)
    assert scalar.preconditioner(point, state) is None
    edge = scalar.critical_curvature_at(point, state, 0)
    assert edge == pytest.approx(20 * (float(point.gradient.norm()) + 1e-3))


def test_the_predicted_modes_see_the_oscillation_and_nothing_else():
    """Of an oscillation of covariance Σ they read the variances, and of a P-orthogonal displacement nothing."""
    objective, start = a_network()
    flow = CentralFlow(RMSProp(0.03, 0.9, 1e-2))
    points, states = follow(flow, objective, start, 40)
    state = states[-1]
    U, P = state.directions, torch.diag(state.metric)
    torch.testing.assert_close(U.T @ P @ U, torch.eye(U.shape[1], dtype=U.dtype), rtol=1e-6, atol=1e-9)
    prediction = flow.predict(objective, objective.at(points[-1]), state)
    directions, covariance = prediction.directions, U @ state.oscillation.solution.to(U) @ U.T
    read = directions.T @ covariance @ directions
    torch.testing.assert_close(
        read.diagonal(), torch.tensor(prediction.variance, dtype=read.dtype), rtol=1e-8, atol=1e-14
    )
    torch.testing.assert_close(directions.square().sum(0), torch.ones(U.shape[1]).to(U), rtol=1e-9, atol=0)
    elsewhere = torch.linspace(-1, 1, objective.size, dtype=U.dtype)
    elsewhere = elsewhere - U @ (U.T @ (P @ elsewhere))
    assert float((directions.T @ elsewhere).abs().max()) < 1e-9 * float(elsewhere.norm())
    # In the plain metric of the parameters it would show: this is not the same thing in other words.
    plain = torch.linalg.qr(U).Q
    assert float((plain.T @ elsewhere).abs().max()) > 1e-3 * float(elsewhere.norm())
