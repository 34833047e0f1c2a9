import pytest
import torch

from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import Constant, Drop, GradientDescent, GradientDescentState, HeavyBall


def quartic_gradient(w):
    return w**3 + torch.sin(w)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_torch_sgd_bit_for_bit_over_100_steps(dtype):
    start = torch.linspace(-1.5, 1.5, 37, dtype=dtype)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theirs], lr=0.05)
    method = GradientDescent(0.05)
    w, state = start, method.init(start)
    for _ in range(100):
        theirs.grad = quartic_gradient(theirs.detach())
        optimizer.step()
        w, state = method.step(w, quartic_gradient(w), state)
        assert torch.equal(w, theirs.detach())
    assert state == GradientDescentState(step=100)


def test_is_its_recursion_in_one_dimension():
    η, x = 0.3, 1.7
    method = GradientDescent(η)
    w = torch.tensor([x], dtype=torch.float64)
    state = method.init(w)
    for _ in range(30):
        x = x - η * x**3  # L = x⁴/4
        w, state = method.step(w, w**3, state)
        assert w.item() == pytest.approx(x, rel=1e-14)


def test_a_step_leaves_its_inputs_unchanged():
    w, g = torch.linspace(-1, 1, 9), torch.linspace(2, 3, 9)
    before = w.clone(), g.clone()
    method = GradientDescent(0.1)
    stepped, _ = method.step(w, g, method.init(w))
    assert torch.equal(w, before[0])
    assert torch.equal(g, before[1])
    assert stepped.data_ptr() != w.data_ptr()


def test_its_edge_is_two_over_eta_and_a_mode_beyond_it_grows():
    method = GradientDescent(2 / 200)
    assert method.critical_curvature == pytest.approx(200.0)
    assert method.critical_curvature_at(method.init(torch.zeros(1))) == pytest.approx(200.0)
    assert method.critical_formula == "2/η"
    w, state = torch.ones(2, dtype=torch.float64), method.init(torch.ones(2))
    for _ in range(100):
        w, state = method.step(w, torch.tensor([199.0, 201.0], dtype=torch.float64) * w, state)
    assert w[0].abs() < 0.4  # 0.99¹⁰⁰
    assert w[1].abs() > 2.7  # 1.01¹⁰⁰


def test_one_mode_is_multiplied_by_its_companion_matrix():
    method = GradientDescent(0.02)
    w = torch.tensor([1.25], dtype=torch.float64)
    stepped, _ = method.step(w, 30.0 * w, method.init(w))
    assert stepped.item() == pytest.approx((method.companion(30.0) @ w.numpy()).item(), rel=1e-15)


def test_a_scheduled_step_size_moves_the_edge_with_the_state():
    method = GradientDescent(Drop(2 / 200, 2 / 300, step=3))
    state, critical = method.init(torch.zeros(1)), []
    w = torch.zeros(1)
    for _ in range(5):
        critical.append(method.critical_curvature(state))
        assert method.critical_curvature_at(state) == critical[-1]
        assert method.companion(10.0, state)[0, 0] == 1 - method.step_size_at(state) * 10.0
        w, state = method.step(w, w, state)
    assert critical == pytest.approx([200, 200, 200, 300, 300])


def test_a_drop_is_felt_at_exactly_its_step():
    method = GradientDescent(Drop(0.5, 0.125, step=3))
    w, g = torch.zeros(1), torch.ones(1)
    state, steps = method.init(w), []
    for _ in range(5):
        stepped, state = method.step(w, g, state)
        steps.append((w - stepped).item())
        w = stepped
    assert steps == [0.5, 0.5, 0.5, 0.125, 0.125]


def test_a_schedule_without_a_state_is_asked_for_the_state():
    with pytest.raises(SettingError, match=r"the step size depends on the step.*companion\(curvature, state\)"):
        GradientDescent(Drop(0.1, 0.01, step=5)).companion(1.0)


@pytest.mark.parametrize("lr", [0.0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("make", [GradientDescent, lambda lr: HeavyBall(lr, 0.9)])
def test_a_step_size_that_is_not_positive_and_finite_is_refused(make, lr):
    with pytest.raises(SettingError, match=r"lr=.*positive, finite.*Type lr=0\.01"):
        make(lr)


@pytest.mark.parametrize("lr", [0.01, Constant(0.01), Drop(0.02, 0.01, step=7)])
def test_the_method_and_its_state_are_written_down_and_read_back(lr):
    method = GradientDescent(lr)
    assert decode(encode(method)) == method
    _, state = method.step(torch.ones(3), torch.ones(3), method.init(torch.ones(3)))
    assert decode(encode(state)) == state
