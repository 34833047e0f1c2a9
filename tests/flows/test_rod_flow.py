"""The rod flow against literal descents of every method it describes."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from edgewise.flows import RodFlow
from edgewise.flows.rods.symmetrized import look_at_ends
from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import SAM, Adam, GradientDescent, HeavyBall, Nesterov, RMSProp
from edgewise.objectives import Objective
from edgewise.problems import chebyshev_mlp
from reference.edges import descend, follow, minimal
from reference.runs import network

ETA = 0.1


def rods(method, objective, steps, x0, before):
    """Half-lengths and centres from a rod of that length along the first axis."""
    flow = RodFlow(method, 1e-12)
    w = objective.start * torch.tensor([0.0, 1.0]).double()
    state = flow.init(objective, w, seed=0)
    u = torch.tensor([1.0, 0.0]).double()
    state = replace(state, u=u, x=x0, before=before, ends=look_at_ends(objective, w, x0 * u))
    xs, centres = [], []
    for _ in range(steps + 1):
        xs.append(state.x)
        centres.append(w.numpy())
        w, state = flow.advance(objective, objective.at(w, products=False), state, ETA)
    return np.array(xs), np.array(centres)


LINEAR = {"gd": GradientDescent(ETA), "heavy ball": HeavyBall(ETA, 0.9), "nesterov": Nesterov(ETA, 0.9)}


@pytest.mark.parametrize("method", LINEAR.values(), ids=LINEAR)
def test_on_the_minimal_toy_its_ends_are_the_iterates(method):
    """Even and odd part, momentum included: nothing is approximated where the rod stays on its axis."""
    x0 = 0.04
    objective = minimal(method.critical_curvature, g=0.002, start=(x0, 0.0))
    points = descend(method, objective, 120)
    # At rest before the first step: w₋ = w, and so x₋ = −x.
    x, centres = rods(method, objective, 120, x0, -x0)
    np.testing.assert_allclose(x * (-1.0) ** np.arange(121), points[:, 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(centres[:, 1], points[:, 1], rtol=1e-9, atol=1e-12)
    assert abs(centres[:, 0]).max() < 1e-12


def test_the_minimal_toy_averages_to_delta():
    g, s1 = 0.05, 1.0
    x0 = 0.8 * math.sqrt(2 * g / s1)
    x, _ = rods(GradientDescent(ETA), minimal(2 / ETA, s1, g, start=(x0, 0.0)), 198, x0, x0)  # a period
    assert (x**2).mean() == pytest.approx(2 * g / s1, rel=0.03)


@pytest.mark.parametrize("method", LINEAR.values(), ids=LINEAR)
def test_a_rod_neither_grows_nor_shrinks_at_the_critical_curvature(method):
    remembered = 1.0 - (ETA * method.critical_curvature if isinstance(method, Nesterov) else 0.0)
    for factor, compare in ((0.97, np.less), (1.0, np.isclose), (1.03, np.greater)):
        bowl = minimal(factor * method.critical_curvature, s1=0.0, g=0.0)
        x, _ = rods(method, bowl, 40, 1.0, remembered)
        assert compare(abs(x[-1]), 1.0)


def test_second_moments_see_the_squared_gradients_of_both_ends():
    objective = network()
    for method in (RMSProp(0.01, beta2=0.9), Adam(0.01)):
        beta2 = method.beta2 if isinstance(method, RMSProp) else method.betas[1]
        flow = RodFlow(method, displacement=0.05)
        states = list(follow(flow, objective, 5))
        expected = torch.zeros_like(objective.start)
        for (w, state), (_, after) in pairwise(states):
            ends = [objective.gradient(w + sign * state.half_length * state.u) for sign in (1, -1)]
            squares = (ends[0].square() + ends[1].square()) / 2
            expected = beta2 * expected + (1 - beta2) * squares
            torch.testing.assert_close(after.method.square_average, expected, rtol=1e-9, atol=1e-15)


def test_on_a_quadratic_it_decays_to_its_smallest_length_and_the_centre_follows_the_descent():
    curvatures = torch.tensor([5.0, 1.0, 0.2]).double()
    objective = Objective.from_function(lambda w: 0.5 * (curvatures * w**2).sum(), 3, start=torch.ones(3).double())
    flow = RodFlow(GradientDescent(ETA), displacement=1e-3)
    *_, (w, state) = follow(flow, objective, 40)
    assert max(abs(state.x), abs(state.before)) == pytest.approx(1e-3 * math.sqrt(3))
    expected = [(1 - 5 * ETA) ** 40, (1 - ETA) ** 40, (1 - 0.2 * ETA) ** 40]
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-6, atol=1e-9)
    prediction = flow.predict(objective, objective.at(w), state)
    assert prediction.sharpness == pytest.approx(5.0, rel=1e-6)
    assert prediction.loss == pytest.approx(float(objective.value(w)) + 2.5 * state.half_length**2, rel=1e-6)


def test_along_the_rod_at_the_edge_the_centre_relaxes_as_the_gradient_flow_does():
    objective = Objective.from_function(
        lambda w: 10 * w[0] ** 2 + 0.5 * w[1] ** 2, 2, start=torch.ones(2).double()
    )
    (_, (w, _)) = list(follow(RodFlow(GradientDescent(ETA), displacement=1e-4), objective, 1))
    np.testing.assert_allclose(w.numpy(), [math.exp(-2.0), 1 - ETA], rtol=1e-4)


def test_the_edge_of_an_adaptive_method_is_met_in_its_metric():
    """Curvature along the rod is uᵀHu/uᵀPu, and at rest the effective sharpness is found by the turning rod."""
    curvatures = torch.tensor([5.0, 1.0]).double()
    objective = Objective.from_function(
        lambda w: 0.5 * (curvatures * w**2).sum() + w.sum(), 2, start=torch.tensor([-0.2, -1.0]).double()
    )
    method = RMSProp(1e-5, beta2=0.9999)
    flow = RodFlow(method, displacement=1e-3)
    w = torch.tensor([1.0, 1.0]).double()
    *_, (w, state) = follow(flow, objective, 60, start=w)
    P = flow.preconditioner(objective.at(w), state).entries
    assert state.curvature == pytest.approx(float((curvatures / P).max()), rel=2e-2)
    assert flow.critical_curvature_at(objective.at(w), state, 60) == method.critical_curvature


def test_what_it_does_not_describe_is_refused():
    with pytest.raises(SettingError, match=r"RodFlow\(SAM\(…\)\): the even and the odd part.*StableFlow"):
        RodFlow(SAM(0.1, 0.05))
    with pytest.raises(SettingError, match=r"RodFlow of a method with beta2=0.*alternate.*beta2=0.99"):
        RodFlow(RMSProp(0.1, beta2=0.0))
    with pytest.raises(SettingError, match="displacement=0"):
        RodFlow(GradientDescent(0.1), 0.0)


@pytest.mark.parametrize("method", [GradientDescent(0.3), Nesterov(0.05, 0.9), Adam(0.01)], ids=str)
def test_its_state_is_written_down_and_goes_on_bit_for_bit(method):
    objective = network()
    flow = RodFlow(method, displacement=1e-3)
    assert decode(encode(flow)) == flow
    states = list(follow(flow, objective, 12))
    w, state = states[5]
    tensors: dict[str, torch.Tensor] = {}
    state = decode(encode(state, tensors), tensors)
    for later, _ in states[6:]:
        w, state = flow.advance(objective, objective.at(w, products=False), state, flow.step_size_at(0))
        assert torch.equal(w, later)


@pytest.mark.slow
def test_on_a_network_the_end_of_the_rod_is_the_iterate_up_to_the_edge():
    objective = chebyshev_mlp(width=20).objective().to(torch.float64)
    points = descend(GradientDescent(0.5), objective, 110)
    states = list(follow(RodFlow(GradientDescent(0.5)), objective, 110))
    for step, (w, state) in enumerate(states):
        end = (w + (-1.0) ** step * state.x * state.u).numpy()
        assert np.linalg.norm(end - points[step]) < 1e-4  # the least length is 1e-5 of ‖w‖
    assert states[-1][1].curvature > 0.9 * 4
