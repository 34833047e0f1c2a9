import json

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
