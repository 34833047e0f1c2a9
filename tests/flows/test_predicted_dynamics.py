"""Self-stabilisation's predictions against the descents they predict."""

import math
from functools import cache

import numpy as np
import pytest
import torch

from edgewise.curvature import Hessian
from edgewise.flows import Cost, PredictedDynamics, predict_dynamics
from edgewise.foundation import SettingError, decode, encode
from edgewise.linalg import eigenpairs
from edgewise.methods import GradientDescent, Nesterov
from edgewise.problems import chebyshev_mlp
from edgewise.theory import SelfStabilization
from reference.edges import coupled, descend, follow, minimal

ETA = 0.1


def test_on_the_minimal_toy_it_is_the_reduced_map():
    g, s1, x0 = 0.02, 1.0, 0.1
    objective = minimal(2 / ETA, s1, g, start=(x0, 1e-9))
    states = predict_dynamics(objective, objective.start, GradientDescent(ETA), 30)
    x, y = SelfStabilization(g * s1, s1**2).trajectory(x0, 0.0, ETA, 30)
    for t, state in enumerate(states, start=1):
        at = state.displacement
        assert abs(float(at.x[0])) == pytest.approx(abs(x[t]), rel=1e-5)
        assert at.predicted_sharpness - 2 / ETA == pytest.approx(y[t], rel=1e-4, abs=1e-6)
        assert at.predicted_loss == pytest.approx(at.loss + at.x[0].item() ** 2 / ETA, rel=1e-6)
        assert float(at.covariance) == pytest.approx(2 * g / s1, rel=1e-5)
        np.testing.assert_allclose(at.reference.numpy(), [0.0, 0.0], atol=1e-6)


@cache
def network():
    objective = chebyshev_mlp(width=20).objective().to(torch.float64)
    lr, w = 2 / 11, objective.start
    for _ in range(1660):
        w = w - lr * objective.gradient(w)
    while True:
        pairs = eigenpairs(Hessian(objective, w), k=1, rtol=1e-4)
        if float(pairs.values[0]) >= 2 / lr:
            return objective, lr, w + 0.01 * pairs.vectors[:, 0]
        w = w - lr * objective.gradient(w)


def relative(predicted, actual):
    return float(np.linalg.norm(np.subtract(predicted, actual)) / np.linalg.norm(actual))


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True])
def test_a_network_is_predicted_iterate_by_iterate(exact):
    """The displacement within 10 % and more, and without its oscillation the trajectory would be far off."""
    objective, lr, w = network()
    predicted, actual = [], []
    away, apart = [], []
    for state in predict_dynamics(objective, w, GradientDescent(lr), 100, exact=exact):
        w = w - lr * objective.gradient(w)
        at, u = state.displacement, state.displacement.modes.vectors[:, 0]
        after = w - lr * objective.gradient(w)
        sharpness = float(eigenpairs(Hessian(objective, (w + after) / 2), k=1, rtol=1e-4).values[0])
        predicted.append((float(at.x[0]), at.predicted_sharpness - 2 / lr, at.predicted_loss))
        actual.append((float(u @ (w - at.reference)), sharpness - 2 / lr, float(objective.value(w))))
        away.append(float((w - at.reference).norm()))
        apart.append(float((w - at.reference - at.v).norm()))
    x, y, loss = zip(*predicted, strict=True)
    real_x, real_y, real_loss = zip(*actual, strict=True)
    assert relative(x, real_x) < 0.05
    assert relative(y, real_y) < 0.10
    assert relative(loss, real_loss) < 0.05
    delta = math.sqrt(float(state.displacement.covariance[0, 0]))
    assert max(away) < 5 * delta  # of the order of δ
    assert np.mean(apart) < 0.1 * np.mean(away)


def test_up_to_the_edge_it_is_gradient_descent_bit_for_bit():
    objective = chebyshev_mlp(width=10).objective().to(torch.float64)
    flow = PredictedDynamics(GradientDescent(0.05))
    points = descend(GradientDescent(0.05), objective, 10)
    for (w, state), expected in zip(follow(flow, objective, 10), points, strict=True):
        np.testing.assert_array_equal(w.numpy(), expected)
        assert state.displacement is None
    prediction = flow.predict(objective, objective.at(w), state)
    assert prediction.loss == float(objective.value(w))
    assert prediction.variance == ()
    assert prediction.sharpness == pytest.approx(state.sharpness)


def test_its_point_is_the_predicted_iterate_and_its_predictions_those_of_the_theory():
    objective = minimal(2 / ETA, 1.0, 0.02, start=(0.1, 1e-9))
    flow = PredictedDynamics(GradientDescent(ETA))
    *_, (w, state) = follow(flow, objective, 10)
    at = state.displacement
    assert torch.equal(w, at.reference + at.v)
    prediction = flow.predict(objective, objective.at(w), state)
    assert prediction.loss == at.predicted_loss
    assert prediction.variance == pytest.approx((at.x[0].item() ** 2,))
    slope = (2 / ETA * at.x[0].item()) ** 2 + 0.02**2
    assert prediction.gradient_norm == pytest.approx(math.sqrt(slope), rel=1e-5)


def test_two_modes_are_predicted_together():
    eta, slopes = 0.02, [[[8.0, 3.0], [3.0, 2.0]], [[1.0, -2.0], [-2.0, 9.0]]]
    objective = coupled(2 / eta, slopes, [0.004, 0.006], start=[0.02, -0.03, 1e-3, 1e-3])
    points = descend(GradientDescent(eta), objective, 40)
    for step, state in enumerate(predict_dynamics(objective, objective.start, GradientDescent(eta), 40), start=1):
        at = state.displacement
        w = (at.reference + at.v).numpy()
        np.testing.assert_allclose(w, points[step], atol=2e-3 * abs(points[step]).max())


def test_the_exact_restoring_force_costs_a_gradient_more():
    objective = minimal(2 / ETA, 1.0, 0.02, start=(0.1, 1e-9))
    spent = {}
    for exact in (False, True):
        *_, state = predict_dynamics(objective, objective.start, GradientDescent(ETA), 5, exact=exact)
        spent[exact] = state.spent
    # On this toy nothing within U is beyond third order.
    assert spent[True] == spent[False] + Cost(gradients=6)


def test_other_methods_are_refused():
    with pytest.raises(SettingError, match=r"PredictedDynamics\(Nesterov\(…\)\).*gradient descent only"):
        PredictedDynamics(Nesterov(0.1, 0.9))


@pytest.mark.parametrize("exact", [False, True])
def test_its_state_is_written_down_and_goes_on_bit_for_bit(exact):
    objective = minimal(2 / ETA, 1.0, 0.02, start=(0.1, -1e-2))
    flow = PredictedDynamics(GradientDescent(ETA), exact=exact)
    assert decode(encode(flow)) == flow
    states = list(follow(flow, objective, 16))
    assert states[2][1].displacement is None
    for cut in (2, 10):
        w, state = states[cut]
        tensors: dict[str, torch.Tensor] = {}
        state = decode(encode(state, tensors), tensors)
        for later, _ in states[cut + 1 :]:
            w, state = flow.advance(objective, objective.at(w), state, ETA)
            assert torch.equal(w, later)
