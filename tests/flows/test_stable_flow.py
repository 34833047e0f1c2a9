import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import pytest
import torch
from torch import Tensor

from edgewise.flows import StableFlow
from edgewise.foundation import SettingError, decode, encode
from edgewise.methods import (
    SAM,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AnyMethod,
    AtEdgeRatio,
    AveragedMomentum,
    Constant,
    DecoupledWeightDecay,
    Drop,
    FrozenAdam,
    GradientDescent,
    GradientDescentState,
    HeavyBall,
    Method,
    Muon,
    NAdam,
    Nesterov,
    NormalizedGD,
    ParameterGroups,
    Projected,
    RMSProp,
    ScalarRMSProp,
    ScheduleFree,
    SqrtLossGD,
    WeightDecay,
)
from edgewise.objectives import Objective
from reference.runs import network

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
    "NAdam": lambda η: NAdam(η, (0.5, 1 - 2 * η)),
    "frozen Adam": lambda η: FrozenAdam(η, (0.5, 1 - 2 * η), freeze_at=round(0.1 / η)),
    "Muon": lambda η: Muon(η, 0.5, shapes=((1, 2), (1,)), precision=None),
    "schedule-free": lambda η: ScheduleFree(η, 0.5),
    "projected": lambda η: Projected(GradientDescent(η), 1, rtol=1e-9),
    "parameter groups": lambda η: ParameterGroups((Adam(η, (0.5, 1 - 2 * η)), HeavyBall(2 * η, 0.5)), (1, 2)),
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


@pytest.mark.parametrize(("decay", "way"), [(0.0, 4.0), (1.0, 4.0 / 3.0)])
def test_on_a_slope_adagrad_slows_down_with_the_root_of_time(decay: float, way: float) -> None:
    # s = g² u² with u² = 1 + τ/η, and ∫ dτ/((1 + δ(u² − 1)) u) = 2η ∫ du/(1 + δ(u² − 1)), from u = 1 to 3.
    slope = Objective.from_function(lambda w: 3.0 * w.sum() + 0.0 * (w**2).sum(), 1, start=torch.zeros(1).double())
    flow = StableFlow(Adagrad(0.1, decay, eps=0.0), rtol=1e-7)
    w, state = slope.start, flow.init(slope, slope.start, 0)
    for _ in range(8):
        w, state = flow.advance(slope, slope.at(w), state, 0.1)
    assert w.item() == pytest.approx(-0.1 * way, rel=1e-5)
    P = flow.preconditioner(slope.at(w), state)
    assert P is not None
    assert float(P @ torch.ones(1).double()) == pytest.approx(9.0 * (1.0 + 8.0 * decay), rel=1e-5)


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


@pytest.mark.parametrize("name", FAMILIES)
def test_a_stored_state_goes_on_bit_for_bit(name: str) -> None:
    objective, flow = valley(), StableFlow(FAMILIES[name](0.02))
    assert decode(encode(flow)) == flow
    w, state = objective.start, flow.init(objective, objective.start, seed=3)
    for _ in range(10):
        tensors: dict[str, Tensor] = {}
        text = json.dumps(encode(state, tensors))
        again = decode(json.loads(text), {key: tensor.clone() for key, tensor in tensors.items()})
        point = objective.at(w)
        w, state = flow.advance(objective, point, state, 0.02)
        same, _ = flow.advance(objective, point, again, 0.02)
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


def straight(*shapes: tuple[int, ...]) -> tuple[Objective, Tensor]:
    """L = ⟨g, w⟩ of tensors of these shapes, from w = 1: its gradient is g everywhere."""
    size = sum(math.prod(shape) for shape in shapes)
    g = torch.randn(size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return Objective.from_function(lambda w: g @ w, size, start=torch.ones(size).double()), g


def test_muon_goes_along_the_orthogonalized_gradient() -> None:
    shapes = ((4, 2), (3,))
    objective, g = straight(*shapes)
    method = Muon(0.1, momentum=0.9, shapes=shapes, weight_decay=0.5)
    w = continuous(method, objective, 4, rtol=1e-8)
    # Its singular values by the quintic, one by one.
    U, sigma, V = torch.linalg.svd(g[:8].view(4, 2), full_matrices=False)
    x = sigma / sigma.norm()
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    f = torch.cat([math.sqrt(4 / 2) * (U * x @ V).reshape(-1), g[8:]])
    # dw/dτ = −f − γ w from w = 1
    expected = math.exp(-0.5 * 0.4) * (1 + f / 0.5) - f / 0.5
    torch.testing.assert_close(w, expected, rtol=1e-6, atol=1e-6)


def test_muon_takes_the_shapes_of_the_objective_and_is_refused_without() -> None:
    objective = network()
    flow = StableFlow(Muon(0.01))
    assert flow.init(objective, objective.start, 0).method == Muon(0.01, shapes=objective.space.shapes)
    with pytest.raises(SettingError, match="Muon without shapes"):
        flow.init(valley(), START, 0)


def test_the_mean_of_schedule_free_averaging_follows() -> None:
    objective, g = straight((3,))
    η, β, τ = 0.1, 0.7, 1.5
    w = continuous(ScheduleFree(η, β), objective, 15, rtol=1e-6)
    # (τ + η) dx/dτ = z − x with z = 1 − gτ and x = 1 at the start
    z, x = 1 - g * τ, 1 - g * τ**2 / (2 * (τ + η))
    torch.testing.assert_close(w, (1 - β) * z + β * x, rtol=1e-4, atol=1e-4)


def test_the_second_moment_of_frozen_adam_rests_from_the_step_on() -> None:
    objective = valley()
    flow = StableFlow(FrozenAdam(0.02, (0.5, 0.9), freeze_at=6), rtol=1e-6)
    adam = StableFlow(Adam(0.02, (0.5, 0.9)), rtol=1e-6)
    w, state = objective.start, flow.init(objective, objective.start, 0)
    v, other = objective.start, adam.init(objective, objective.start, 0)
    moments = []
    for _ in range(12):
        moments.append(flow.preconditioner(objective.at(w), state) @ torch.ones(3).double())
        if state.step <= 5:  # step 6, the last that adapts, has the number 5
            assert torch.equal(w, v)
        w, state = flow.advance(objective, objective.at(w), state, 0.02)
        v, other = adam.advance(objective, objective.at(v), other, 0.02)
    changes = [float((after - before).norm()) for before, after in pairwise(moments)]
    assert min(changes[:5]) > 1e-4
    assert changes[5:] == [0.0] * 6


def test_parameter_groups_go_each_in_its_own_time() -> None:
    λ, η = torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64), 0.1
    bowl = Objective.from_function(lambda w: (λ * w**2).sum() / 2, 3, start=torch.ones(3).double())
    groups = (GradientDescent(η), HeavyBall(Drop(0.05, 0.02, step=2), 0.5))
    w = continuous(ParameterGroups(groups, sizes=(1, 2)), bowl, 5, rtol=1e-8)
    own = 2 * (2 * 0.05 + 3 * 0.02)  # 1/(1 − β) times its step sizes
    assert w.tolist() == pytest.approx([math.exp(-2 * 0.5), math.exp(-2 * own), math.exp(-own)], rel=1e-6)


def test_the_metric_of_parameter_groups_is_that_of_their_common_edge() -> None:
    objective = valley()
    point = objective.at(START)
    one = torch.ones(3, dtype=torch.float64)
    groups = ParameterGroups((GradientDescent(0.1), HeavyBall(0.2, 0.5)), sizes=(1, 2))
    flow = StableFlow(groups)
    P = flow.preconditioner(point, flow.init(objective, START, 0))
    assert P is not None
    assert (P @ one).tolist() == pytest.approx([1.0, 0.75, 0.75])  # 3/0.2 over 2/0.1
    # That of schedule-free averaging depends on the step: at the first, where c = 1/2, it is 3/(0.6 · 0.2).
    driven = ParameterGroups((GradientDescent(0.1), ScheduleFree(0.2)), sizes=(1, 2))
    P = StableFlow(driven).preconditioner(point, StableFlow(driven).init(objective, START, 0))
    assert P is not None
    assert (P @ one).tolist() == pytest.approx([1.0, 1.25, 1.25])
    # Stable at no curvature, it has no metric in common with others: then the step sizes decide.
    never = ParameterGroups((GradientDescent(0.1), WeightDecay(GradientDescent(0.2), 11.0)), sizes=(1, 2))
    P = StableFlow(never).preconditioner(point, StableFlow(never).init(objective, START, 0))
    assert P is not None
    assert (P @ one).tolist() == pytest.approx([1.0, 0.5, 0.5])
    alike = StableFlow(ParameterGroups((GradientDescent(0.1), GradientDescent(0.1)), sizes=(1, 2)))
    assert alike.preconditioner(point, alike.init(objective, START, 0)) is None


def test_the_critical_curvature_of_scalar_rmsprop_is_that_of_its_own_second_moment() -> None:
    objective, η, gaps = valley(), 0.01, []
    for half in (1, 2):
        method = ScalarRMSProp(Drop(η / half, η / half / 3, step=20 * half), 1 - 8 * η / half, eps=0.5)
        flow = StableFlow(method, rtol=1e-6)
        w, state = objective.start, flow.init(objective, objective.start, 0)
        v, other = objective.start, method.init(objective.start)
        # At the start both hold the first gradient.
        _, looked = method.look(objective, objective.at(v), other)
        first = flow.critical_curvature_at(objective.at(w), state, 0)
        assert first == pytest.approx(method.critical_curvature_at(looked), rel=1e-12)
        for step in range(20 * half):
            gradient, other = method.look(objective, objective.at(v), other)
            v, other = method.step(v, gradient, other)
            w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
        _, looked = method.look(objective, objective.at(v), other)
        edge = flow.critical_curvature_at(objective.at(w), state, 20 * half)
        # √ν has fallen by then, and the step size by three.
        assert edge < 0.95 * 3 * first
        gaps.append(abs(edge / method.critical_curvature_at(looked) - 1))
    assert gaps[0] < 0.02
    assert math.log2(gaps[0] / gaps[1]) == pytest.approx(1.0, abs=0.25)
    # As for the method, the one number is part of the edge and not of a metric.
    assert flow.preconditioner(objective.at(w), state) is None


def test_a_step_size_driven_by_the_curvature_only_sets_the_time() -> None:
    objective = valley()
    inside = HeavyBall(0.01, 0.5)
    assert torch.equal(continuous(AtEdgeRatio(inside, 0.9), objective, 7), continuous(inside, objective, 7))


@pytest.mark.parametrize(("part", "moving"), [("dominant", [0]), ("bulk", [1, 2])])
def test_what_is_projected_away_rests(part: str, moving: list[int]) -> None:
    λ = torch.tensor([4.0, 1.0, 0.5], dtype=torch.float64)
    bowl = Objective.from_function(lambda w: (λ * w**2).sum() / 2, 3, start=torch.ones(3).double())
    w = continuous(Projected(GradientDescent(0.1), 1, part, rtol=1e-12), bowl, 12, rtol=1e-8)
    expected = [math.exp(-1.2 * float(λ[i])) if i in moving else 1.0 for i in range(3)]
    assert w.tolist() == pytest.approx(expected, rel=1e-6)


def test_a_subspace_is_measured_as_often_as_the_method_does() -> None:
    objective = valley()
    flow = StableFlow(Projected(GradientDescent(0.02), 1, every=3))
    w, state = objective.start, flow.init(objective, objective.start, 0)
    readings = []
    for _ in range(7):
        w, state = flow.advance(objective, objective.at(w), state, 0.02)
        readings.append(state.known[0].readings)
    assert readings == [1, 1, 1, 2, 2, 2, 3]


@final
@dataclass(frozen=True, slots=True)
class Unheard(Method[GradientDescentState]):
    """Gradient descent under another name."""

    lr: float

    def init(self, w: Tensor) -> GradientDescentState:
        return GradientDescent(self.lr).init(w)

    def step(
        self, w: Tensor, gradient: Tensor, state: GradientDescentState
    ) -> tuple[Tensor, GradientDescentState]:
        return GradientDescent(self.lr).step(w, gradient, state)

    def step_size_at(self, state: GradientDescentState) -> float:
        return self.lr

    def companion(self, curvature: float, state: GradientDescentState | None = None) -> np.ndarray:
        return GradientDescent(self.lr).companion(curvature, state)

    critical_curvature = 1.0
    critical_formula = "1"


def test_a_method_whose_drift_is_not_known_is_refused() -> None:
    for method in (Unheard(0.01), WeightDecay(Unheard(0.01), 0.1)):
        with pytest.raises(SettingError) as caught:
            StableFlow(method)
        assert str(caught.value) == (
            "StableFlow(Unheard(…)): where Unheard goes as its step size goes to zero is not known here. Type "
            "GradientFlow() for the descent without it, or StableFlow of a method from edgewise.methods."
        )


def test_a_second_moment_without_memory_is_refused() -> None:
    with pytest.raises(SettingError, match=r"without memory .* Type beta2=0\.9 or more"):
        StableFlow(RMSProp(0.01, beta2=0.0))


def test_an_impossible_tolerance_is_refused() -> None:
    with pytest.raises(SettingError, match=r"rtol=2\.0: a relative tolerance lies between 0 and 1"):
        StableFlow(GradientDescent(0.01), rtol=2.0)
