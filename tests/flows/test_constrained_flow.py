"""The constrained trajectory against closed forms, dense projections and literal descents."""

import math

import numpy as np
import pytest
import torch

from edgewise.flows import ConstrainedFlow
from edgewise.flows.constrained.edge_constraint import read
from edgewise.foundation import FlowError, SettingError, decode, encode
from edgewise.methods import Drop, GradientDescent, HeavyBall
from edgewise.objectives import Objective
from edgewise.problems import chebyshev_mlp
from edgewise.theory import SelfStabilization
from reference.edges import coupled, descend, follow, minimal

ETA, S1, G = 0.1, 1.0, 0.05


def test_the_minimal_toy_stops_at_the_edge_with_its_exact_delta():
    objective = minimal(2 / ETA, S1, G, start=(0.0, -0.0525))
    flow = ConstrainedFlow(GradientDescent(ETA))
    states = list(follow(flow, objective, 30))
    ys = [float(w[1]) for w, _ in states]
    # ηg = 0.005 a step up to the step that would cross, and 0 from then on.
    np.testing.assert_allclose(ys[:11], -0.0525 + 0.005 * np.arange(11), atol=1e-12)
    np.testing.assert_allclose(ys[11:], 0.0, atol=1e-12)
    w, state = states[-1]
    assert float(state.alpha) == pytest.approx(G * S1, rel=1e-12)
    assert float(state.beta) == pytest.approx(S1**2, rel=1e-12)
    assert state.delta == pytest.approx(math.sqrt(2 * G / S1), rel=1e-12)
    prediction = flow.predict(objective, objective.at(w), state)
    assert prediction.variance == pytest.approx((2 * G / S1,), rel=1e-9)
    assert prediction.sharpness == pytest.approx(2 / ETA, rel=1e-9)
    assert prediction.loss == pytest.approx(float(objective.value(w)) + 2 * G / S1 / ETA, rel=1e-9)
    assert prediction.gradient_norm**2 == pytest.approx(G**2 + 4 / ETA**2 * 2 * G / S1, rel=1e-9)
    assert flow.critical_curvature_at(objective.at(w), state, 30) == 2 / ETA


def test_the_descent_oscillates_around_it_with_that_variance_and_that_loss():
    # Gradient descent from the edge at almost δ: many small cycles.
    g, s1 = 0.002, 1.0
    x0 = 0.9 * math.sqrt(2 * g / s1)
    x, y = SelfStabilization(g * s1, s1**2).trajectory(x0, 0.0, ETA, 4968)  # five periods of 2π/(η√2α)
    y = y / s1
    points = descend(GradientDescent(ETA), minimal(2 / ETA, s1, g, start=(x0, 0.0)), 50)
    np.testing.assert_allclose(points, np.stack([x, y], 1)[:51], rtol=1e-12, atol=1e-15)
    assert (x**2).mean() == pytest.approx(2 * g / s1, rel=0.02)
    excess = 0.5 * (2 / ETA + s1 * y) * x**2
    assert excess.mean() == pytest.approx(2 * g / s1 / ETA, rel=0.02)


def test_below_the_edge_it_is_gradient_descent():
    objective = chebyshev_mlp(width=10).objective().to(torch.float64)
    points = descend(GradientDescent(0.05), objective, 20)
    flow = ConstrainedFlow(GradientDescent(0.05))
    for (w, state), expected in zip(follow(flow, objective, 20), points, strict=True):
        np.testing.assert_array_equal(w.numpy(), expected)
        assert state.values.shape == (0,)
        assert math.isnan(state.delta)
    assert flow.predict(objective, objective.at(w), state).variance == ()


@pytest.mark.slow
def test_a_network_stays_on_the_constraint():
    """Sharpness at 2/η and no slope along u, by a dense Hessian; the direction of travel is projected."""
    objective = chebyshev_mlp(width=8).objective().to(torch.float64)
    eta = 2 / 3.0
    flow = ConstrainedFlow(GradientDescent(eta))
    arrived = 0
    for w, state in follow(flow, objective, 130):
        if not len(state.values) or state.sharpness < 2 / eta * (1 - 1e-5):
            continue
        arrived += 1
        if arrived % 10:
            continue
        H = torch.autograd.functional.hessian(lambda v: _loss(objective, v), w)
        values, vectors = torch.linalg.eigh(H)
        gradient = objective.gradient(w)
        assert float(values[-1]) == pytest.approx(2 / eta, rel=1e-5)
        assert abs(float(vectors[:, -1] @ gradient)) * eta / 2 < 1e-3 * eta * float(gradient.norm())
        assert state.sharpness == pytest.approx(float(values[-1]), rel=1e-5)
        slope = objective.at(w).third(vectors[:, -1].contiguous(), vectors[:, -1].contiguous())
        slope = slope - vectors[:, -1] * (vectors[:, -1] @ slope)
        assert float(state.alpha[0, 0]) == pytest.approx(-float(slope @ gradient), rel=1e-3)
        assert float(state.beta[0]) == pytest.approx(float(slope @ slope), rel=1e-3)
        variance = flow.predict(objective, objective.at(w), state).variance[0]
        assert variance == pytest.approx(state.delta**2, rel=1e-2)
    assert arrived > 30


def _loss(objective: Objective, w: torch.Tensor) -> torch.Tensor:
    return sum(chunk.loss(w) for chunk in objective.terms.chunks())


# Two modes, each held by a bulk direction of its own, coupled where the second slope is not diagonal.
SLOPES = [[[8.0, 3.0], [3.0, 2.0]], [[1.0, -2.0], [-2.0, 9.0]]]
FORCES = [0.004, 0.006]


def test_several_modes_are_held_at_once_and_their_variance_is_the_complementarity_solution():
    eta = 0.02
    objective = coupled(2 / eta, SLOPES, FORCES, start=[0.0, 0.0, -0.001, -0.001])
    flow = ConstrainedFlow(GradientDescent(eta))
    *_, (w, state) = follow(flow, objective, 40)
    S = torch.tensor(SLOPES).double()
    inside = torch.einsum("k,kij->ij", w[2:], S)
    assert float(torch.linalg.eigvalsh(inside).max()) < 1e-6 * 2 / eta
    np.testing.assert_allclose(w[:2].numpy(), 0.0, atol=1e-9)
    assert len(state.values) == 2
    # At rest ½⟨Sₖ, Σ⟩ = gₖ in both bulk directions, unless the complementary Σ has rank one.
    covariance = state.vectors[:2] @ state.covariance @ state.vectors[:2].T
    drift = torch.tensor(FORCES).double() - 0.5 * torch.einsum("kij,ij->k", S, covariance)
    rate = torch.einsum("k,kij->ij", drift, S)
    assert float(torch.linalg.eigvalsh(rate).max()) < 1e-6  # nothing grows
    assert abs(float((rate * covariance).sum())) < 1e-9  # and nothing falls where it oscillates
    assert float(torch.linalg.eigvalsh(covariance).min()) > -1e-12


def test_the_variance_of_two_modes_is_the_time_average_of_the_descent():
    eta = 0.02
    slopes = [[[8.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 9.0]]]
    # ½(8 a + 1 b) = 0.004 and … with diagonal slopes Σ is diagonal: 8a + 2b = 2g₁, a + 9b = 2g₂.
    a, b = np.linalg.solve([[8.0, 2.0], [1.0, 9.0]], 2 * np.array(FORCES))
    objective = coupled(2 / eta, slopes, FORCES, start=[0.0, 0.0, -0.001, -0.001])
    *_, (_, state) = follow(ConstrainedFlow(GradientDescent(eta)), objective, 20)
    prediction = sorted(torch.linalg.eigvalsh(state.covariance).tolist())
    np.testing.assert_allclose(prediction, sorted([a, b]), rtol=1e-6)
    x, y = np.array([0.8 * math.sqrt(a), 1.2 * math.sqrt(b)]), np.zeros(2)
    squares = []
    for _ in range(30000):
        squares.append(x**2)
        x, y = (
            x - eta * (2 / eta + np.einsum("k,kii->i", y, slopes)) * x,
            y + eta * (FORCES - 0.5 * np.einsum("kii,i->k", slopes, x**2)),
        )
    np.testing.assert_allclose(np.mean(squares, axis=0), [a, b], rtol=0.1)


def test_a_start_past_the_edge_is_refused_with_a_smaller_step():
    objective = minimal(20.0, start=(0.0, 5.0))  # sharpness 25
    with pytest.raises(
        SettingError,
        match=r"ConstrainedFlow with lr=0.1 from a start of sharpness 25: its trajectory stays below 2/η = 20.*"
        r"ConstrainedFlow\(GradientDescent\(0.072\)\), for which 2/η = 27.78",
    ):
        ConstrainedFlow(GradientDescent(0.1)).init(objective, objective.start, seed=0)
    ConstrainedFlow(GradientDescent(0.072)).init(objective, objective.start, seed=0)


def test_other_methods_are_refused():
    with pytest.raises(SettingError, match=r"ConstrainedFlow\(HeavyBall\(…\)\).*gradient descent only"):
        ConstrainedFlow(HeavyBall(0.1, 0.9))


def test_an_edge_that_jumps_below_the_sharpness_ends_it():
    flow = ConstrainedFlow(GradientDescent(Drop(0.1, 0.4, step=2)))
    start = torch.tensor([0.0, 1.0]).double()
    for push, sentence in (
        (lambda y: 0 * y, r"modes that cross the edge: no oscillation along them lowers their curvature"),
        (
            lambda y: y / (1 + y**2).sqrt(),
            r"where 2/η is 5: three projections did not bring it down to the edge.*lr=0.229",
        ),
    ):
        objective = Objective.from_function(lambda w, push=push: (4 + 0.5 * push(w[1])) * w[0] ** 2, 2)
        with pytest.raises(FlowError, match=sentence):
            list(follow(flow, objective, 5, start=start))


def test_its_state_is_written_down_and_goes_on_bit_for_bit():
    objective = coupled(100.0, SLOPES, FORCES, start=[0.0, 0.0, -0.001, -0.001])
    flow = ConstrainedFlow(GradientDescent(0.02))
    assert decode(encode(flow)) == flow
    states = list(follow(flow, objective, 24))
    w, state = states[16]
    tensors: dict[str, torch.Tensor] = {}
    state = decode(encode(state, tensors), tensors)
    for later, _ in states[17:]:
        w, state = flow.advance(objective, objective.at(w), state, 0.02)
        assert torch.equal(w, later)
    assert flow.cost(state) == flow.cost(states[-1][1])


def test_the_gradients_of_the_curvature_are_orthogonal_to_the_critical_modes():
    objective = coupled(100.0, SLOPES, FORCES, start=[0.01, -0.02, -0.001, -0.001])
    reading = read(
        objective.at(objective.start),
        100.0,
        ConstrainedFlow(GradientDescent(0.02)).init(objective, objective.start, seed=0).tracker,
    )
    modes = reading.modes
    assert len(modes.values) == 2
    torch.testing.assert_close(
        torch.einsum("ijp,pk->ijk", modes.gradients, modes.vectors),
        torch.zeros(2, 2, 2).double(),
        atol=1e-12,
        rtol=0,
    )
    gram = modes.gram
    torch.testing.assert_close(gram, gram.permute(2, 3, 0, 1))
    torch.testing.assert_close(
        modes.combined(torch.eye(2).double()), modes.gradients[0, 0] + modes.gradients[1, 1]
    )
