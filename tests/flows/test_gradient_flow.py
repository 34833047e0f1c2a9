import json
import math

import pytest
import torch
from torch import Tensor

from edgewise.flows import RK4, RKC2, RKC3, ROCK4, Cost, GradientFlow, Integrator
from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import GradientDescent, HeavyBall
from edgewise.objectives import Objective

RATES = torch.tensor([200.0, 20.0, 1.0, 0.05, 0.0], dtype=torch.float64)


def bowl() -> Objective:
    return Objective.from_function(lambda w: (RATES.to(w) * w**2).sum() / 2, 5, start=torch.ones(5))


def quartic() -> Objective:
    """L = Σ w⁴/4 + a bowl: w' = −w³ in the first two entries, whose flow is w/√(1 + 2tw²)."""
    return Objective.from_function(lambda w: (w[:2] ** 4).sum() / 4 + 30 * w[2] ** 2, 3, start=torch.ones(3))


def follow(flow: GradientFlow, objective: Objective, step_size: float, steps: int):
    w, state = objective.start, flow.init(objective, objective.start, seed=0)
    for _ in range(steps):
        w, state = flow.advance(objective, objective.at(w, products=False), state, step_size)
        yield w, state


@pytest.mark.parametrize("integrator", [RK4(), RKC2(), RKC3(), ROCK4()], ids=lambda i: type(i).__name__)
def test_on_a_bowl_it_is_the_exponential_at_every_tick(integrator: Integrator) -> None:
    for tick, (w, state) in enumerate(follow(GradientFlow(rtol=1e-3, integrator=integrator), bowl(), 0.01, 15), 1):
        assert state.time == pytest.approx(0.01 * tick)
        # Between the ends of a stride the cubic adds its own error.
        assert float((w - torch.exp(-RATES * state.time)).norm()) < 5e-3


@pytest.mark.parametrize("integrator", [RK4(alpha=0.5), RKC2(), RKC3(), ROCK4()], ids=lambda i: type(i).__name__)
def test_on_a_quartic_it_is_the_known_flow(integrator: Integrator) -> None:
    for w, state in follow(GradientFlow(rtol=1e-4, integrator=integrator), quartic(), 0.1, 5):
        exact = (1 + 2 * state.time) ** -0.5
        assert w[:2].tolist() == pytest.approx([exact, exact], abs=2e-3)


def test_a_tighter_tolerance_is_closer_and_dearer() -> None:
    errors, costs = [], []
    for rtol in (1e-2, 1e-3, 1e-4):
        *_, (w, state) = follow(GradientFlow(rtol=rtol), quartic(), 0.5, 8)
        errors.append(abs(float(w[0]) - 1 / 3))
        costs.append(state.stride.cost.equivalents)
    assert errors[-1] < errors[0] / 5
    assert costs == sorted(costs)


def staircase(kinks: int) -> Objective:
    """L = w²/2 + a Σₖ ±(w − k/K)₊ with a = 0.2: −L' jumps by 0.2, down and up in turn, wherever w = k/K."""
    places = torch.arange(1, kinks, dtype=torch.float64) / kinks
    signs = (-1.0) ** torch.arange(kinks - 1)
    return Objective.from_function(
        lambda w: w[0] ** 2 / 2 + 0.2 * (signs * (w[0] - places).relu()).sum(), 1, start=torch.ones(1).double()
    )


def down_the_stairs(kinks: int, time: float) -> float:
    """w(t): between two jumps an exponential, towards −0.2 or 0, by whether the next jump below is odd or even."""
    w = 1.0
    for k in range(kinks - 1, 0, -1):
        rest = -0.2 * (k % 2)
        needed = math.log((w - rest) / (k / kinks - rest))
        if needed >= time:
            return rest + (w - rest) * math.exp(-time)
        w, time = k / kinks, time - needed
    return w * math.exp(-time)


@pytest.mark.parametrize("rtol", [1e-2, 1e-3, 1e-4])
def test_where_the_velocity_jumps_the_path_is_known_to_its_tolerance(rtol: float) -> None:
    """Each of nine jumps changes the velocity by 0.2; together they stray by a few tolerances."""
    for w, state in follow(GradientFlow(rtol=rtol), staircase(10), 0.1, 20):
        assert abs(float(w[0]) - down_the_stairs(10, state.time)) < 5 * rtol
    # Between smooth stretches a jump costs a dozen steps a digit, of two gradients each.
    assert state.stride.cost.gradients < 9 * 12 * 2 * -math.log10(rtol)


def test_on_a_relu_network_it_takes_what_its_accuracy_takes_rk4() -> None:
    """Units switch in every step, so that the error of any integrator falls like its step size."""
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(60, 5, generator=draw, dtype=torch.float64)
    target = torch.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    start = torch.randn(280, generator=draw, dtype=torch.float64) * torch.tensor(
        [5**-0.5] * 200 + [0.1] * 40 + [40**-0.5] * 40
    )

    def loss(w: Tensor) -> Tensor:
        hidden = (X.to(w) @ w[:200].view(40, 5).T + w[200:240]).relu()
        return ((hidden @ w[240:] - target.to(w)) ** 2).mean()

    network, ends, costs = Objective.from_function(loss, 280, start=start), {}, {}
    flows = {"rk4": RK4(), "fine": RK4(alpha=0.1), **{str(rtol): rtol for rtol in (1e-2, 1e-3)}}
    for name, given in flows.items():
        flow = GradientFlow(rtol=given) if isinstance(given, float) else GradientFlow(integrator=given)
        *_, (ends[name], state) = follow(flow, network, 0.25, 4)
        costs[name] = state.stride.cost.gradients
    path = state.stride.travelled
    errors = {name: float((end - ends["fine"]).norm()) / path for name, end in ends.items()}
    for rtol in (1e-2, 1e-3):
        assert errors[str(rtol)] < 2 * rtol
    assert costs["0.01"] < costs["rk4"]
    assert costs["0.001"] < costs["fine"] / 2


def test_the_end_does_not_depend_on_the_step_size_of_the_method() -> None:
    ends = []
    for steps in (2, 20):
        *_, (w, state) = follow(GradientFlow(), bowl(), 2.0 / steps, steps)
        ends.append((w, state.stride.cost))
    assert float((ends[0][0] - ends[1][0]).norm()) < 1e-9
    assert ends[0][1] == ends[1][1]


@pytest.mark.parametrize("integrator", [RKC2(), RKC3(), ROCK4()], ids=lambda i: type(i).__name__)
def test_it_takes_many_times_fewer_gradients_than_steps_of_one_over_the_sharpness(integrator: Integrator) -> None:
    def cost(flow: GradientFlow) -> Cost:
        *_, (_, state) = follow(flow, bowl(), 1.0, 4)
        return flow.cost(state)

    assert cost(GradientFlow(integrator=RK4())).gradients > 4 * 4 * 200
    assert 4 * cost(GradientFlow(integrator=integrator)).equivalents < 4 * 4 * 200


@pytest.mark.parametrize("integrator", [RK4(), RKC2(), RKC3(), ROCK4()], ids=lambda i: type(i).__name__)
def test_a_stored_state_goes_on_bit_for_bit(integrator: Integrator) -> None:
    flow, objective = GradientFlow(integrator=integrator), quartic()
    w, state = objective.start, flow.init(objective, objective.start, seed=3)
    for _ in range(8):
        tensors: dict[str, Tensor] = {}
        text = json.dumps(encode(state, tensors))
        again = decode(json.loads(text), {name: tensor.clone() for name, tensor in tensors.items()})
        w, state = flow.advance(objective, objective.at(w), state, 0.07)
        same, _ = flow.advance(objective, objective.at(w), again, 0.07)
        assert torch.equal(w, same)


def test_advancing_leaves_the_state_as_it_was() -> None:
    flow, objective = GradientFlow(), quartic()
    state = flow.init(objective, objective.start, seed=0)
    for _ in range(10):
        before: dict[str, Tensor] = {}
        tree = encode(state, before)
        copies = {name: tensor.clone() for name, tensor in before.items()}
        w, after = flow.advance(objective, objective.at(objective.start), state, 0.2)
        w.zero_()
        now: dict[str, Tensor] = {}
        assert encode(state, now) == tree
        assert all(torch.equal(now[name], copies[name]) for name in copies)
        state = after


def test_it_predicts_what_is_at_its_point() -> None:
    flow, objective = GradientFlow(), bowl()
    prediction = flow.predict(objective, objective.at(objective.start), flow.init(objective, objective.start, 0))
    assert prediction.loss == pytest.approx(float(RATES.sum()) / 2)
    assert prediction.gradient_norm == pytest.approx(float(RATES.norm()))
    assert prediction.sharpness is None
    assert prediction.variance == ()


def test_it_keeps_the_time_of_the_method_beside_it_unless_it_has_one() -> None:
    ball, descent = HeavyBall(0.02, 0.9), GradientDescent(0.01)
    assert GradientFlow().described is None
    beside = GradientFlow().beside(ball)
    assert beside == GradientFlow(method=ball)
    assert beside.step_size_at(0) == 0.02
    assert GradientFlow(method=descent).beside(ball).described == descent


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"rtol": 0.0}, "rtol=0.0: a relative tolerance lies between 0 and 1. Type rtol=1e-3."),
        ({"rtol": 1.0}, "rtol=1.0: a relative tolerance lies between 0 and 1. Type rtol=1e-3."),
        ({"atol": -1.0}, "atol=-1.0: an absolute tolerance is not negative. Type atol=0.0."),
    ],
)
def test_impossible_tolerances_are_refused(setting: dict[str, float], sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        GradientFlow(**setting)  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_the_flow_is_written_down_and_read_back() -> None:
    flow = GradientFlow(rtol=1e-4, integrator=ROCK4(max_stages=40), method=GradientDescent(0.01))
    assert decode(encode(flow)) == flow
