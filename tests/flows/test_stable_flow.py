import json
import math

import pytest
import torch
from torch import Tensor

from edgewise.flows import StableFlow
from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import (
    SAM,
    SGD,
    Adam,
    AdamW,
    AnyMethod,
    AveragedMomentum,
    Constant,
    DecoupledWeightDecay,
    Drop,
    GradientDescent,
    HeavyBall,
    Muon,
    Nesterov,
    NormalizedGD,
    RMSProp,
    ScalarRMSProp,
    SqrtLossGD,
    WeightDecay,
)
from edgewise.objectives import Objective

START = torch.tensor([1.0, -0.7, 0.5], dtype=torch.float64)


def valley() -> Objective:
    """Curved, with a minimum of 0.1 that is not at zero."""
    c = torch.tensor([3.0, 1.0, 0.3], dtype=torch.float64)

    def loss(w: Tensor) -> Tensor:
        return 0.1 + (c * (w - 0.3) ** 2).sum() / 2 + (w[0] * w[1] - 0.09) ** 2

    return Objective.from_function(loss, 3, start=START)


# Methods at a step size η whose memory, where there is one, is as long in time whatever η.
FAMILIES = {
    "gradient descent": GradientDescent,
    "heavy ball": lambda η: HeavyBall(η, 0.5),
    "Nesterov": lambda η: Nesterov(η, 0.5),
    "averaged momentum": lambda η: AveragedMomentum(η, 0.5),
    "normalized": NormalizedGD,
    "root of the loss": lambda η: SqrtLossGD(η, minimum=0.1),
    "SAM": lambda η: SAM(η, 0.05),
    "scalar RMSProp": lambda η: ScalarRMSProp(η, 1 - 2 * η),
    "Adam": lambda η: Adam(η, (0.5, 1 - 2 * η)),
    "AdamW": lambda η: AdamW(η, (0.5, 1 - 2 * η), weight_decay=0.5),
    "coupled decay": lambda η: WeightDecay(HeavyBall(η, 0.5), 0.5),
    "decoupled decay": lambda η: DecoupledWeightDecay(GradientDescent(η), 0.5),
}


def discrete(method: AnyMethod, objective: Objective, steps: int) -> Tensor:
    w, state = objective.start, method.init(objective.start)
    for _ in range(steps):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
    return w


def continuous(method: AnyMethod, objective: Objective, steps: int, rtol: float = 1e-5) -> Tensor:
    flow = StableFlow(method, rtol=rtol)
    w, state = objective.start, flow.init(objective, objective.start, seed=0)
    for step in range(steps):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
    return w


@pytest.mark.parametrize("name", FAMILIES)
def test_the_method_goes_where_its_stable_flow_goes_as_the_step_size_goes_to_zero(name: str) -> None:
    objective, time, distances = valley(), 0.2, []
    for η in (0.01, 0.005):
        method, steps = FAMILIES[name](η), round(time / η)
        distances.append(float((discrete(method, objective, steps) - continuous(method, objective, steps)).norm()))
    assert distances[1] < 0.03
    assert math.log2(distances[0] / distances[1]) == pytest.approx(1.0, abs=0.25)


def test_rmsprop_follows_its_stable_flow_once_its_average_has_filled() -> None:
    # Started at zero, ν makes the first steps long however small η is; with a large ε they are not.
    distances = []
    for η in (0.01, 0.005):
        method = RMSProp(η, 1 - 2 * η, eps=1.0)
        steps = round(0.2 / η)
        distances.append(float((discrete(method, valley(), steps) - continuous(method, valley(), steps)).norm()))
    assert math.log2(distances[0] / distances[1]) == pytest.approx(1.0, abs=0.25)


def test_on_a_bowl_momentum_only_shortens_the_time() -> None:
    bowl = Objective.from_function(lambda w: (w**2).sum() / 2, 2, start=torch.ones(2))
    flow = StableFlow(HeavyBall(0.1, 0.9), rtol=1e-6)
    w, _ = flow.advance(bowl, bowl.at(bowl.start), flow.init(bowl, bowl.start, 0), 0.1)
    assert w.tolist() == pytest.approx([math.exp(-1.0)] * 2, abs=1e-4)


def test_the_normalized_flow_has_unit_speed() -> None:
    bowl = Objective.from_function(lambda w: (w**2).sum() / 2, 2, start=torch.tensor([3.0, 4.0]))
    flow = StableFlow(NormalizedGD(0.5))
    w, state = bowl.start, flow.init(bowl, bowl.start, 0)
    for step in range(8):
        w, state = flow.advance(bowl, bowl.at(w), state, 0.5)
        assert float(w.norm()) == pytest.approx(5 - 0.5 * (step + 1), abs=1e-3)


def test_sgd_has_the_flow_of_its_mean_gradient() -> None:
    objective = valley()
    plain, noisy = HeavyBall(0.01, 0.5), SGD(0.01, None, momentum=0.5)
    assert torch.equal(continuous(plain, objective, 5), continuous(noisy, objective, 5))
    decayed = SGD(0.01, None, momentum=0.5, weight_decay=0.2)
    assert torch.equal(continuous(WeightDecay(plain, 0.2), objective, 5), continuous(decayed, objective, 5))
    dampened = SGD(0.01, None, momentum=0.5, dampening=0.5)
    assert torch.equal(continuous(GradientDescent(0.01), objective, 5), continuous(dampened, objective, 5))


def test_a_schedule_is_followed_and_a_memory_in_steps_starts_anew() -> None:
    objective = valley()
    scheduled = Adam(Drop(0.01, 0.002, step=20), (0.5, 0.9))
    flow = StableFlow(scheduled, rtol=1e-6)
    w, state = objective.start, flow.init(objective, objective.start, 0)
    for step in range(40):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
    assert state.time == pytest.approx(20 * 0.012)
    # The clock of the bias correction counts steps, not time.
    assert float(state.stride.at(state.time)[-1]) == pytest.approx(41.0, rel=1e-6)
    assert float((w - discrete(scheduled, objective, 40)).norm()) < 0.02
    constant = StableFlow(Adam(Constant(0.01), (0.5, 0.9)), rtol=1e-6)
    assert constant.step_size_at(7) == 0.01


@pytest.mark.parametrize("name", ["heavy ball", "SAM", "Adam", "scalar RMSProp", "AdamW"])
def test_a_stored_state_goes_on_bit_for_bit(name: str) -> None:
    objective, flow = valley(), StableFlow(FAMILIES[name](0.02))
    assert decode(encode(flow)) == flow
    w, state = objective.start, flow.init(objective, objective.start, seed=3)
    for _ in range(10):
        tensors: dict[str, Tensor] = {}
        text = json.dumps(encode(state, tensors))
        again = decode(json.loads(text), {key: tensor.clone() for key, tensor in tensors.items()})
        w, state = flow.advance(objective, objective.at(w), state, 0.02)
        same, _ = flow.advance(objective, objective.at(w), again, 0.02)
        assert torch.equal(w, same)


def test_it_knows_its_preconditioner() -> None:
    objective = valley()
    point = objective.at(objective.start)
    flow = StableFlow(Adam(0.01, eps=0.5))
    P = flow.preconditioner(point, flow.init(objective, objective.start, 0))
    assert P is not None
    torch.testing.assert_close(P @ torch.ones(3).double(), point.gradient.abs() + 0.5)
    plain = StableFlow(GradientDescent(0.01))
    assert plain.preconditioner(point, plain.init(objective, objective.start, 0)) is None


def test_it_predicts_what_is_at_its_point() -> None:
    objective = valley()
    flow = StableFlow(SAM(0.01, 0.05))
    state = flow.init(objective, objective.start, 0)
    point = objective.at(objective.start)
    assert flow.predict(objective, point, state).loss == float(point.value)
    assert flow.predict(objective, point, state).gradient_norm == float(point.gradient.norm())
    assert flow.described == SAM(0.01, 0.05)


def test_a_method_whose_drift_is_not_known_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        StableFlow(Muon(0.01))
    assert str(caught.value).startswith(
        "StableFlow(Muon(…)): where Muon goes as its step size goes to zero is not known here. Type GradientFlow()"
    )


def test_a_second_moment_without_memory_is_refused() -> None:
    with pytest.raises(SettingError, match=r"without memory .* Type beta2=0\.9 or more"):
        StableFlow(RMSProp(0.01, beta2=0.0))


def test_an_impossible_tolerance_is_refused() -> None:
    with pytest.raises(SettingError, match=r"rtol=2\.0: a relative tolerance lies between 0 and 1"):
        StableFlow(GradientDescent(0.01), rtol=2.0)
