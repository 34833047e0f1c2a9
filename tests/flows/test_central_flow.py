"""The central flow of gradient descent against literal descents, closed forms and itself at finer substeps."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from edgewise.flows import CentralFlow, Cost
from edgewise.foundation import FlowError, SettingError, decode, encode
from edgewise.methods import SGD, Drop, GradientDescent, HeavyBall, ScalarRMSProp, Warmup
from edgewise.objectives import Objective
from reference.runs import bowl, network


def advance(flow, objective, state, w, steps):
    for _ in range(steps):
        eta = flow.step_size_at(state.step)
        w, state = flow.advance(objective, objective.at(w), state, eta)
    return w, state


def follow(flow, objective, steps, start=None):
    """Every point and every state from step 0 on."""
    w = objective.start if start is None else start
    state = flow.init(objective, w, seed=0)
    points, states = [w], [state]
    for _ in range(steps):
        w, state = advance(flow, objective, state, w, 1)
        points.append(w)
        states.append(state)
    return torch.stack(points), states


def coupled(eta, slopes, forces, start, base=None):
    """L = ½ xᵀ((2/η) I + base + Σ yₖ Sₖ) x − g·y: the sharpness rises with y, and an oscillation of x holds it."""
    S, g = torch.as_tensor(slopes).double(), torch.as_tensor(forces).double()
    k = S.shape[1]
    H0 = 2 / eta * torch.eye(k).double() + (0.0 if base is None else torch.as_tensor(base).double())

    def loss(w):
        x, y = w[:k], w[k:]
        return 0.5 * x @ (H0 + torch.einsum("k,kij->ij", y, S)) @ x - g @ y

    return Objective.from_function(loss, k + len(g), start=torch.as_tensor(start).double())


# One mode, in closed form.

ETA, SLOPE, FORCE = 0.02, 10.0, 0.004
VARIANCE = 2 * FORCE / SLOPE


def minimal_toy(start):
    return coupled(ETA, [[[SLOPE]]], [FORCE], start)


def test_the_variance_of_the_minimal_toy_is_its_closed_form():
    # Five steps below the edge, and none of them across it.
    objective, flow = minimal_toy([0.0, -4.5 * ETA * FORCE]), CentralFlow(GradientDescent(ETA))
    points, states = follow(flow, objective, 9)
    assert [s.oscillation.solution.any().item() for s in states] == [False] * 5 + [True] * 5
    assert points[5:, 1].tolist() == pytest.approx([0.0] * 5, abs=1e-12)
    prediction = flow.predict(objective, objective.at(points[-1]), states[-1])
    # A step moves the sharpness by 8e-6 of itself: of its sixteen digits ten are left.
    assert prediction.variance == pytest.approx((VARIANCE,), rel=1e-6)
    assert prediction.loss == pytest.approx(VARIANCE / ETA, rel=1e-6)
    assert prediction.gradient_norm == pytest.approx(math.sqrt(FORCE**2 + 4 / ETA**2 * VARIANCE), rel=1e-6)
    assert prediction.sharpness == pytest.approx(2 / ETA, rel=1e-9)


def test_gradient_descent_on_the_minimal_toy_oscillates_as_predicted():
    """V11: the time average of x² is δ², and the excess loss δ²/η."""
    x, y, squares, losses = 0.5 * math.sqrt(VARIANCE), 0.0, [], []
    for _ in range(40_000):
        squares.append(x * x)
        losses.append(0.5 * (2 / ETA + SLOPE * y) * x * x - FORCE * y)
        x, y = x - ETA * (2 / ETA + SLOPE * y) * x, y - ETA * (0.5 * SLOPE * x * x - FORCE)
    flow, objective = CentralFlow(GradientDescent(ETA)), minimal_toy([0.0, 0.0])
    w, state = advance(flow, objective, flow.init(objective, objective.start, 0), objective.start, 3)
    prediction = flow.predict(objective, objective.at(w), state)
    assert np.mean(squares) == pytest.approx(prediction.variance[0], rel=0.02)
    assert np.mean(losses) == pytest.approx(prediction.loss, rel=0.02)


# Two modes.

TWO = np.array([[[10.0, 1.0], [1.0, 2.0]], [[2.0, 1.0], [1.0, 9.0]], [[0.0, 4.0], [4.0, 0.0]]])
TWO_FORCES = 0.5 * (TWO * (np.array([[0.73, 0.2], [0.2, 1.35]]) * 1e-3)).sum((1, 2))


def test_two_coupled_modes_have_the_covariance_of_the_discrete_run():
    """V18."""
    x, y, squares = np.array([0.02, -0.01]), np.array([-0.05, -0.05, 0.0]), []
    for t in range(30_000):
        if t >= 10_000:
            squares.append(np.outer(x, x))
        H = 2 / ETA * np.eye(2) + np.einsum("k,kij->ij", y, TWO)
        x, y = x - ETA * H @ x, y - ETA * (0.5 * np.einsum("kij,i,j->k", TWO, x, x) - TWO_FORCES)
    objective = coupled(ETA, TWO, TWO_FORCES, [0.0, 0.0, 0.0, 0.0, 0.0])
    flow = CentralFlow(GradientDescent(ETA))
    _, state = advance(flow, objective, flow.init(objective, objective.start, 0), objective.start, 4)
    covariance = (state.directions @ state.oscillation.solution @ state.directions.T)[:2, :2]
    measured = np.mean(squares, axis=0)
    assert covariance[0, 0] == pytest.approx(measured[0, 0], rel=0.10)
    assert covariance[1, 1] == pytest.approx(measured[1, 1], rel=0.10)
    assert covariance[0, 1] == pytest.approx(measured[0, 1], rel=0.20)
    assert state.oscillation.residual <= 1e-7
    w = torch.zeros(5).double()
    prediction = flow.predict(objective, objective.at(w), state)
    assert prediction.variance == pytest.approx(torch.linalg.eigvalsh(covariance).flip(0).tolist(), rel=1e-9)
    spread = prediction.directions * torch.tensor(prediction.variance, dtype=torch.float64)
    torch.testing.assert_close((spread @ prediction.directions.T)[:2, :2], covariance, rtol=1e-9, atol=1e-15)


def test_modes_enter_one_by_one_and_leave_when_the_edge_is_lifted():
    # Two modes rise, one behind the other; a smaller step size then lifts the edge out of their reach.
    slopes, forces = [[[10.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 10.0]]], [0.4, 0.4]
    objective = coupled(ETA, slopes, forces, [0.0, 0.0, -0.036, -0.068])
    flow = CentralFlow(GradientDescent(Drop(ETA, ETA / 1.5, step=12)))
    _, states = follow(flow, objective, 14)
    active = [int((torch.linalg.eigvalsh(s.oscillation.solution) > 1e-6).sum()) for s in states]
    assert active == [0] * 5 + [1] * 4 + [2] * 4 + [0] * 2
    assert states[-1].directions.shape == (4, 0)
    assert states[-1].edge_ratio < 0.75


# Three modes: the cost, and finer substeps.

THREE = 4 * np.array(
    [
        [[10.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 1.0]],
        [[2.0, 1.0, 0.0], [1.0, 9.0, 1.0], [0.0, 1.0, 1.0]],
        [[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 11.0]],
    ]
)
THREE_FORCES = 0.5 * (THREE * np.array([[3.0, 0.5, 0.0], [0.5, 2.0, -0.5], [0.0, -0.5, 2.5]]) * 1e-3).sum((1, 2))
THREE_STEPS = 26


@cache
def three_modes(substeps):
    base = np.array([[-0.6, 0.1, 0.0], [0.1, -0.9, 0.1], [0.0, 0.1, -1.2]])
    objective = coupled(ETA, THREE, THREE_FORCES, [0.02, 0.02, 0.02, 0.0, 0.0, 0.0], base)
    points, states = follow(CentralFlow(GradientDescent(ETA), substeps=substeps), objective, THREE_STEPS)
    return objective, points, states


def test_three_critical_modes_cost_at_most_sixty_gradients_a_step():
    _, _, states = three_modes(1)
    late = [s for s in states[1:] if s.directions.shape[1] == 3]
    assert len(late) >= 20
    spent = [after.cost.equivalents - before.cost.equivalents for before, after in pairwise(late)]
    assert max(spent) <= 60
    assert np.mean(spent) <= 36
    assert late[-1].cost.thirds - late[0].cost.thirds == 6 * (len(late) - 1)


def test_one_substep_a_step_is_within_two_percent_of_four():
    objective, points, _ = three_modes(1)
    _, finer, _ = three_modes(4)
    w, unheld = objective.start, [objective.start]
    for _ in range(THREE_STEPS):
        for _ in range(20):
            w = w - ETA / 20 * objective.gradient(w)
        unheld.append(w)
    from_gradient_flow = (finer - torch.stack(unheld)).norm(dim=1)
    deviation = (points - finer).norm(dim=1)
    assert float(from_gradient_flow[-1]) > 0.01
    assert float(deviation[-1] / from_gradient_flow[-1]) < 0.02
    # And of the way gone, where the gradient flow has not left yet.
    assert float((deviation / (finer - finer[0]).norm(dim=1))[10:].max()) < 0.02


def test_the_edge_is_not_crossed_and_every_complementarity_is_solved():
    _, _, states = three_modes(1)
    assert max(s.edge_ratios[0] for s in states[1:]) <= 1.01
    assert max(s.oscillation.residual for s in states) <= 1e-7


def test_with_its_third_derivatives_counted_the_cost_is_what_was_asked():
    objective = coupled(ETA, TWO, TWO_FORCES, [0.01, 0.0, 0.0, 0.0, 0.0])
    flow = CentralFlow(GradientDescent(ETA))
    w, state = advance(flow, objective, flow.init(objective, objective.start, 0), objective.start, 5)
    point = objective.at(w)
    _, after = flow.advance(objective, point, state, ETA)
    assert flow.cost(after) == flow.cost(state) + Cost(
        gradients=2, products=point.products, thirds=point.third_products
    )
    assert point.third_products == 3
    assert point.products <= 6


def test_substeps_are_halved_while_a_mode_that_is_not_followed_relaxes():
    # Of the curvatures 1.9/η, 1.2/η and 0.05/η the first is followed; the second decays as e^(−1.2 t).
    objective = bowl(1.9 / ETA, 1.2 / ETA, 0.05 / ETA)
    points, states = follow(CentralFlow(GradientDescent(ETA)), objective, 16)
    gradients = np.diff([s.cost.gradients for s in states])
    assert gradients[0] > 8
    assert set(gradients[10:]) == {2}
    t = torch.arange(17).double()[:, None]
    exact = torch.exp(-t * torch.tensor([1.9, 1.2, 0.05]).double())
    torch.testing.assert_close(points[:, 0], exact[:, 0], rtol=0.0, atol=1e-6)  # as well as it is known
    torch.testing.assert_close(points, exact, rtol=0.0, atol=5e-3)  # 0.2 if the substep were not halved


# Steep rises, starts above, too few modes.


def test_a_mode_that_would_cross_within_the_step_is_seen_before():
    # The sharpness rises by 4 % of the edge a step, more than the margin below which a mode is not yet critical.
    objective = coupled(ETA, [[[SLOPE]]], [20.0], [0.0, -1.9])
    _, states = follow(CentralFlow(GradientDescent(ETA)), objective, 8)
    ratios = [s.edge_ratios[0] for s in states[1:]]
    assert ratios == pytest.approx([0.81, 0.85, 0.89, 0.93, 0.97, 1.0, 1.0, 1.0], abs=1e-6)


def test_from_above_the_edge_it_returns_within_steps():
    objective = coupled(ETA, [[[SLOPE]]], [FORCE], [0.0, 2.0])
    _, states = follow(CentralFlow(GradientDescent(ETA)), objective, 8)
    ratios = [s.edge_ratios[0] for s in states[1:]]
    assert ratios[:5] == pytest.approx([1.2, 1.1, 1.05, 1.0, 1.0], abs=1e-6)


def test_too_few_modes_end_the_flow_with_the_line_to_type():
    objective = coupled(ETA, TWO, TWO_FORCES, [0.01, 0.0, 0.0, 0.0, 0.0])
    flow = CentralFlow(GradientDescent(ETA), modes=1)
    state = flow.init(objective, objective.start, 0)
    with pytest.raises(
        FlowError, match=r"2 modes at the edge .* modes=1: .*unseen\. Type CentralFlow\(method, modes=2\)"
    ):
        advance(flow, objective, state, objective.start, 3)
    enough = CentralFlow(GradientDescent(ETA), modes=2)
    _, state = advance(enough, objective, enough.init(objective, objective.start, 0), objective.start, 3)
    assert state.directions.shape[1] == 2


def test_what_nothing_holds_ends_the_flow():
    # The curvature rises with y, which the oscillation cannot push: the rise does not come from the loss.
    objective = Objective.from_function(lambda w: 0.5 * 2.2 / ETA * w[0] ** 2, 1)
    flow = CentralFlow(GradientDescent(ETA))
    with pytest.raises(FlowError, match="nothing keeps them back"):
        advance(flow, objective, flow.init(objective, objective.start, 0), objective.start, 2)


def test_what_is_not_finite_ends_the_flow():
    objective = Objective.from_function(lambda w: (w**4).sum(), 2)
    flow = CentralFlow(GradientDescent(0.1))
    state = flow.init(objective, objective.start, 0)
    for far in (1e160, 1e102):  # where the gradient is infinite already, and where it is so after a step
        with pytest.raises(FlowError, match=r"left the finite numbers.*Type a smaller lr, or substeps=4"):
            flow.advance(objective, objective.at(torch.full((2,), far, dtype=torch.float64)), state, 0.1)


# A network.


def test_on_a_network_it_stays_with_the_midpoints_where_the_gradient_flow_leaves():
    objective, eta, steps = network(), 1.2, 56
    start = 0.3 * objective.start
    for _ in range(550):
        start = start - 0.1 * objective.gradient(start)
    points, states = follow(CentralFlow(GradientDescent(eta)), objective, steps, start)
    w, descent = start, [start]
    for _ in range(steps):
        w = w - eta * objective.gradient(w)
        descent.append(w)
    before, middle, after = descent[-3:]
    midpoint = (before + 2 * middle + after) / 4
    w = start
    for _ in range((steps - 1) * 8):
        w = w - eta / 8 * objective.gradient(w)
    assert float((midpoint - points[-2]).norm()) < 0.4 * float((midpoint - w).norm())
    assert max(s.edge_ratios[0] for s in states[1:]) <= 1.01
    assert states[-1].directions.shape[1] == 2
    predicted = CentralFlow(GradientDescent(eta)).predict(objective, objective.at(points[-1]), states[-1])
    assert predicted.sharpness == pytest.approx(2 / eta, rel=2e-3)
    assert len(predicted.variance) == 2
    assert predicted.variance[0] > predicted.variance[1] >= 0


def test_single_precision_follows_double():
    runs = {}
    for dtype in (torch.float32, torch.float64):
        objective = network(dtype=dtype)
        start = 0.3 * objective.start
        for _ in range(275):
            start = start - 0.2 * objective.gradient(start)
        points, states = follow(CentralFlow(GradientDescent(1.2)), objective, 8, start)
        runs[dtype] = points[-1].double(), states[-1]
    single, double = runs[torch.float32], runs[torch.float64]
    assert single[1].oscillation.solution.dtype == torch.float64
    assert single[1].directions.dtype == torch.float32
    assert float((single[0] - double[0]).norm()) < 1e-3 * float(double[0].norm())


# A value, and its state.


def test_a_stored_state_goes_on_bit_for_bit():
    objective, flow = (
        coupled(ETA, TWO, TWO_FORCES, [0.01, 0.0, -0.001, -0.001, 0.0]),
        CentralFlow(GradientDescent(ETA)),
    )
    w, state = advance(flow, objective, flow.init(objective, objective.start, 0), objective.start, 6)
    tensors = {}
    tree = encode(state, tensors)
    restored = decode(tree, {name: tensor.clone() for name, tensor in tensors.items()})
    ours, theirs = (advance(flow, objective, each, w, 6) for each in (state, restored))
    assert torch.equal(ours[0], theirs[0])
    first, second = {}, {}
    assert encode(ours[1], first) == encode(theirs[1], second)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert decode(encode(flow)) == flow


def test_before_the_first_step_nothing_oscillates():
    objective, flow = minimal_toy([0.1, -0.2]), CentralFlow(GradientDescent(ETA))
    state = flow.init(objective, objective.start, 0)
    point = objective.at(objective.start)
    prediction = flow.predict(objective, point, state)
    assert prediction.loss == float(point.value)
    assert prediction.gradient_norm == pytest.approx(float(point.gradient.norm()))
    assert (prediction.sharpness, prediction.variance) == (None, ())
    assert flow.cost(state) == Cost()
    assert point.products == 0


def test_below_the_edge_the_sharpness_is_extrapolated_to_the_present():
    # The edge of the coming step is another one.
    objective, flow = minimal_toy([0.0, -0.6]), CentralFlow(GradientDescent(Drop(ETA, ETA / 2, step=4)))
    w, state = advance(flow, objective, flow.init(objective, objective.start, 0), objective.start, 4)
    prediction = flow.predict(objective, objective.at(w), state)
    assert prediction.sharpness == pytest.approx(2 / ETA + SLOPE * float(w[1]), rel=1e-9)
    assert prediction.variance == ()


RISING = {
    "warmup": Warmup(ETA, 5),
    "drop": Drop(ETA, ETA / 2, step=4),
    "jump": Drop(ETA / 2, ETA, step=4),
    "constant": ETA,
}


@pytest.mark.parametrize("born", [0, 3, 10])
@pytest.mark.parametrize("lr", RISING.values(), ids=RISING)
def test_no_schedule_moves_the_predicted_sharpness(lr, born):
    # The sharpness is 94 % of the largest edge and rises by 2 · ηS; a flow may begin at any step of its method.
    slope, force = 10.0, 0.2
    objective, flow = coupled(ETA, [[[slope]]], [force], [0.0, -0.6]), CentralFlow(GradientDescent(lr))
    w, state = objective.start, flow.init(objective, objective.start, seed=0)
    for step in range(born, born + 8):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
        predicted = flow.predict(objective, objective.at(w), state)
        # The first has nothing to extrapolate from.
        rel = 1e-9 if step > born else 1e-3
        assert predicted.sharpness == pytest.approx(2 / ETA + slope * float(w[1]), rel=rel)
        assert state.directions.shape[1] == 0  # and none is taken for critical


@pytest.mark.parametrize("method", [GradientDescent, ScalarRMSProp], ids=lambda m: m.__name__)
def test_on_a_network_a_schedule_does_not_move_the_predicted_sharpness(method):
    objective = network()
    flow = CentralFlow(method(Drop(0.05, 0.01, step=4)))
    w, state = objective.start, flow.init(objective, objective.start, seed=0)
    for step in range(8):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
        hessian = torch.autograd.functional.hessian(lambda v: sum(c.loss(v) for c in objective.terms.chunks()), w)
        dense = float(torch.linalg.eigvalsh(hessian)[-1])
        assert flow.predict(objective, objective.at(w), state).sharpness == pytest.approx(dense, rel=0.05)


def test_gradient_descent_has_no_preconditioner_and_its_own_edge():
    objective, flow = minimal_toy([0.0, -0.6]), CentralFlow(GradientDescent(Drop(0.02, 0.01, step=3)))
    state = flow.init(objective, objective.start, 0)
    point = objective.at(objective.start)
    assert flow.preconditioner(point, state) is None
    assert flow.critical_curvature_at(point, state, 0) == pytest.approx(100.0)
    assert flow.critical_curvature_at(point, state, 3) == pytest.approx(200.0)
    assert flow.described == GradientDescent(Drop(0.02, 0.01, step=3))


@pytest.mark.parametrize("method", [HeavyBall(0.01, 0.9), SGD(0.01, batch_size=4)], ids=lambda m: type(m).__name__)
def test_a_method_that_it_does_not_describe_is_refused(method):
    name = type(method).__name__
    expected = (
        rf"CentralFlow\({name}\(…\)\): .*Type CentralFlow\(GradientDescent\(lr\)\), or StableFlow\({name}\(…\)\)"
    )
    with pytest.raises(SettingError, match=expected):
        CentralFlow(method)


@pytest.mark.parametrize("setting", [{"substeps": 0}, {"modes": 0}])
def test_counts_below_one_are_refused(setting):
    (name,) = setting
    with pytest.raises(SettingError, match=rf"{name}=0: it has to be at least 1\. Type {name}=1"):
        CentralFlow(GradientDescent(0.1), **setting)
