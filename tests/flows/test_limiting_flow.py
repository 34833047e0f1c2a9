"""The limiting flow against closed forms, dense projections and the literal methods."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from edgewise.flows import LimitingFlow
from edgewise.flows.limiting_flow import _across
from edgewise.foundation import FlowError, SettingError, decode, encode
from edgewise.methods import Drop, GradientDescent, NormalizedGD, SqrtLossGD
from edgewise.objectives import Objective
from reference.edges import descend, follow
from reference.matrices import with_spectrum


def valley(start):
    """L = ½(1 + x²)y²: minimisers y = 0, where λ₁ = 1 + x²."""
    return Objective.from_function(
        lambda w: 0.5 * (1 + w[0] ** 2) * w[1] ** 2, 2, start=torch.tensor(start, dtype=torch.float64)
    )


def hyperbola(start):
    """L = ½(xy − 1)²: minimisers xy = 1, where λ₁ = x² + y²."""
    return Objective.from_function(
        lambda w: 0.5 * (w[0] * w[1] - 1) ** 2, 2, start=torch.tensor(start, dtype=torch.float64)
    )


# V3: x(4) from x(0) = 2 under dx/dτ = −½x/(1 + x²), and x(2) under dx/dτ = −¼x.
CLOSED = {NormalizedGD: (4.0, 1.096434), SqrtLossGD: (2.0, 2 * math.exp(-0.5))}


def test_the_closed_forms_solve_their_equations():
    x = 1.096434
    assert math.log(x / 2) + (x**2 - 4) / 2 == pytest.approx(-0.5 * 4.0, abs=1e-5)
    assert CLOSED[SqrtLossGD][1] == pytest.approx(1.213061, abs=1e-6)


@pytest.mark.parametrize("method", CLOSED)
def test_a_step_moves_by_eta_squared_times_the_field(method):
    lr, x = 0.08, 2.0
    slope = 2 * x / (1 + x * x) / 4 if method is NormalizedGD else 2 * x / 8
    (_, (w, state)) = list(follow(LimitingFlow(method(lr)), valley([x, 0.0]), 1))
    np.testing.assert_allclose(w.numpy(), [x - lr**2 * slope, 0.0], atol=1e-9)
    assert state.sharpness == pytest.approx(5.0, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", CLOSED)
def test_the_flow_ends_where_its_closed_form_does(method):
    time, expected = CLOSED[method]
    errors = []
    for lr in (0.2, 0.1):
        *_, (w, _) = follow(LimitingFlow(method(lr)), valley([2.0, 0.0]), round(time / lr**2))
        errors.append(abs(float(w[0]) - expected))
    assert errors[1] < 1e-3
    assert errors[1] < 0.35 * errors[0]  # steps of η² by Euler: a quarter


@pytest.mark.parametrize("method", CLOSED)
def test_the_literal_method_ends_there_too(method):
    """V3 in plain floats: |x_η(T/η²) − X(T)| at η = 0.02, and half of it or less at half the step."""
    time, expected = CLOSED[method]
    errors = []
    for lr in (0.04, 0.02):
        x, y = 2.0, 0.4 * lr
        for _ in range(round(time / lr**2)):
            gx, gy = x * y * y, (1 + x * x) * y
            scale = math.hypot(gx, gy) if method is NormalizedGD else 2 * math.sqrt((1 + x * x) / 2) * abs(y)
            x, y = x - lr * gx / scale, y - lr * gy / scale
        errors.append(abs(x - expected))
    assert errors[1] < 1e-3
    assert errors[1] < 0.5 * errors[0]


def test_the_methods_are_those_floats():
    lr = 0.04
    for method in CLOSED:
        points = descend(method(lr), valley([2.0, 0.4 * lr]), 20)
        x, y = 2.0, 0.4 * lr
        for _ in range(20):
            gx, gy = x * y * y, (1 + x * x) * y
            scale = math.hypot(gx, gy) if method is NormalizedGD else 2 * math.sqrt((1 + x * x) / 2) * abs(y)
            x, y = x - lr * gx / scale, y - lr * gy / scale
        np.testing.assert_allclose(points[-1], [x, y], rtol=1e-9)


def test_along_a_curved_manifold_it_follows_the_projected_field():
    """Returning takes off what the projection would: against the projected equation on the hyperbola."""
    lr, steps = 0.05, 120

    def field(_, w):
        normal = np.array([w[1], w[0]]) / np.hypot(*w)
        slope = -0.25 * 2 * w / (w @ w)
        return slope - normal * (normal @ slope)

    *_, (w, _) = follow(LimitingFlow(NormalizedGD(lr)), hyperbola([2.0, 0.5]), steps)
    expected = solve_ivp(field, (0, steps * lr**2), [2.0, 0.5], rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(w.numpy(), expected, atol=2e-4)
    assert float(w[0] * w[1]) == pytest.approx(1.0, abs=1e-4)
    assert abs(expected[0] - 2.0) > 0.05


def test_it_comes_down_by_the_gradient_flow():
    """On the way down log x + ½x² − ½y² is conserved."""
    objective = valley([2.0, 0.5])
    lr = 0.01
    (_, (w, state)) = list(follow(LimitingFlow(NormalizedGD(lr)), objective, 1))
    conserved = math.log(2) + 2 - 0.125
    x = 2.0
    for _ in range(50):
        x -= (math.log(x) + x * x / 2 - conserved) / (1 / x + x)
    assert float(w[0]) == pytest.approx(x - lr**2 * x / (1 + x * x) / 2, abs=1e-5)
    assert abs(float(w[1])) < 1e-3 * lr
    assert state.landed


def test_conjugate_gradients_divide_by_the_range_of_the_hessian_only():
    H = with_spectrum(torch.tensor([9.0, 4.0, 1.0, 0.0, 0.0]).double())
    objective = Objective.from_function(lambda w: 0.5 * w @ H @ w, 5, start=torch.ones(5).double())
    w = objective.start
    expected = torch.linalg.pinv(H, rtol=1e-9) @ H @ w
    torch.testing.assert_close(_across(objective.at(w)), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("method", "length"), [(NormalizedGD, 1.0), (SqrtLossGD, math.sqrt(5.0 / 2))])
def test_its_predictions_are_those_of_the_symmetric_oscillation(method, length):
    """Two iterates at ±δ across the valley, where the method steps back and forth by 2δ."""
    lr = 0.02
    flow, objective = LimitingFlow(method(lr)), valley([2.0, 0.0])
    (_, (w, state)) = list(follow(flow, objective, 1))
    prediction = flow.predict(objective, objective.at(w), state)
    delta = lr * length / 2
    assert prediction.variance == pytest.approx((delta**2,), rel=1e-3)
    assert prediction.loss == pytest.approx(2.5 * delta**2, rel=1e-3)
    assert prediction.gradient_norm == pytest.approx(5 * delta, rel=1e-3)
    one_step = descend(method(lr), valley([2.0, delta]), 1)
    assert one_step[1, 1] == pytest.approx(-delta, rel=1e-2)


def test_after_a_drop_it_oscillates_with_the_step_that_was_taken():
    objective, flow = valley([2.0, 0.0]), LimitingFlow(NormalizedGD(Drop(0.1, 0.01, step=5)))
    predicted = [flow.predict(objective, objective.at(w), state) for w, state in follow(flow, objective, 8)]
    assert [one.variance for one in predicted] == [
        (),
        *[pytest.approx((0.0025,))] * 5,
        *[pytest.approx((2.5e-5,))] * 3,
    ]
    assert predicted[-1].gradient_norm == pytest.approx(0.005 * predicted[-1].sharpness, rel=1e-3)


def test_what_has_no_manifold_in_reach_is_refused():
    with pytest.raises(SettingError, match=r"LimitingFlow\(GradientDescent\(…\)\).*do not shrink.*NormalizedGD"):
        LimitingFlow(GradientDescent(0.1))
    concave = Objective.from_function(lambda w: -(w**2).sum(), 2, start=torch.zeros(2).double())
    flow = LimitingFlow(NormalizedGD(0.1))
    state = flow.init(concave, concave.start, seed=0)
    with pytest.raises(FlowError, match=r"the largest curvature is -2.*positive"):
        flow.advance(concave, concave.at(concave.start), replace(state, landed=True), 0.1)


def test_its_state_is_written_down_and_goes_on_bit_for_bit():
    objective = hyperbola([1.5, 1.0])
    flow = LimitingFlow(NormalizedGD(0.05))
    assert decode(encode(flow)) == flow
    states = list(follow(flow, objective, 8))
    w, state = states[4]
    tensors: dict[str, torch.Tensor] = {}
    state = decode(encode(state, tensors), tensors)
    for later, _ in states[5:]:
        w, state = flow.advance(objective, objective.at(w), state, 0.05)
        assert torch.equal(w, later)
    assert flow.cost(state) == flow.cost(states[-1][1])
