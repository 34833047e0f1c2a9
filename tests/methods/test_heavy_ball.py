import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import Drop, GradientDescent, HeavyBall, HeavyBallState


def quartic_gradient(w):
    return w**3 + torch.sin(w)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_equals_torch_sgd_with_momentum_bit_for_bit_over_100_steps(dtype, beta):
    start = torch.linspace(-1.5, 1.5, 37, dtype=dtype)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theirs], lr=0.02, momentum=beta)
    method = HeavyBall(0.02, beta)
    w, state = start, method.init(start)
    for _ in range(100):
        theirs.grad = quartic_gradient(theirs.detach())
        optimizer.step()
        w, state = method.step(w, quartic_gradient(w), state)
        assert torch.equal(w, theirs.detach())
    assert state.step == 100


def test_is_its_recursion_in_one_dimension():
    η, β, x, v = 0.1, 0.8, 1.7, 0.0
    method = HeavyBall(η, β)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for _ in range(50):
        v = β * v + x**3  # L = x⁴/4
        x = x - η * v
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-12)
        assert state.velocity.item() == pytest.approx(v, rel=1e-12, abs=1e-15)


def test_a_step_leaves_its_inputs_unchanged():
    method = HeavyBall(0.1, 0.9)
    w, g = torch.linspace(-1, 1, 9), torch.linspace(2, 3, 9)
    state = HeavyBallState(step=4, velocity=torch.linspace(0, 1, 9))
    before = w.clone(), g.clone(), state.velocity.clone()
    stepped, after = method.step(w, g, state)
    for now, then in zip((w, g, state.velocity), before, strict=True):
        assert torch.equal(now, then)
    assert state.step == 4
    assert len({t.data_ptr() for t in (w, g, state.velocity, stepped, after.velocity)}) == 5


def test_without_momentum_it_is_gradient_descent():
    ball, plain = HeavyBall(0.3, 0.0), GradientDescent(0.3)
    w = torch.linspace(-1, 1, 5)
    assert torch.equal(
        ball.step(w, quartic_gradient(w), ball.init(w))[0],
        plain.step(w, quartic_gradient(w), plain.init(w))[0],
    )
    assert ball.critical_curvature == plain.critical_curvature


@given(
    lr=st.floats(1e-4, 10.0),
    beta=st.floats(0.0, 0.99),
    curvature=st.floats(-100.0, 100.0),
    w=st.floats(-10, 10),
    before=st.floats(-10, 10),
)
def test_the_companion_matrix_is_the_step_on_one_mode(lr, beta, curvature, w, before):
    method = HeavyBall(lr, beta)
    # The displacement that led from `before` to `w` is −η v.
    state = HeavyBallState(step=1, velocity=torch.tensor([(before - w) / lr], dtype=torch.float64))
    point = torch.tensor([w], dtype=torch.float64)
    stepped, _ = method.step(point, curvature * point, state)
    predicted = method.companion(curvature) @ np.array([w, before])
    scale = 1 + lr * abs(curvature)
    assert stepped.item() == pytest.approx(predicted[0], rel=1e-12, abs=1e-12 * scale)
    assert predicted[1] == w


def test_its_edge_is_two_plus_two_beta_over_eta():
    method = HeavyBall(0.01, 0.9)
    assert method.critical_curvature == pytest.approx(380.0)
    assert method.critical_formula == "(2+2β)/η"


def test_the_averaged_form_is_this_method_at_a_smaller_step_size():
    η, β = 0.01, 0.9
    assert HeavyBall((1 - β) * η, β).critical_curvature == pytest.approx(38 / η)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = HeavyBall(Drop(0.02, 0.01, step=1), 0.5)
    state = method.init(torch.zeros(1))
    assert method.critical_curvature(state) == pytest.approx(150.0)
    assert method.step_size_at(state) == 0.02
    _, state = method.step(torch.zeros(1), torch.zeros(1), state)
    assert method.critical_curvature_at(state) == pytest.approx(300.0)
    assert method.companion(300.0, state)[0, 0] == pytest.approx(1.5 - 3.0)


@pytest.mark.parametrize("beta", [1.0, -0.1, float("nan"), 2.0])
def test_a_beta_outside_its_range_is_refused(beta):
    with pytest.raises(SettingError, match=r"beta=.*unless 0 ≤ beta < 1.*GradientDescent\(lr\)"):
        HeavyBall(0.01, beta)


def test_the_method_and_its_state_are_written_down_and_read_back():
    method = HeavyBall(Drop(0.02, 0.01, step=7), 0.9)
    assert decode(encode(method)) == method
    _, state = method.step(torch.ones(3), torch.arange(3.0), method.init(torch.ones(3)))
    tensors = {}
    tree = encode(state, tensors)
    back = decode(tree, tensors)
    assert back.step == 1
    assert torch.equal(back.velocity, torch.arange(3.0))
