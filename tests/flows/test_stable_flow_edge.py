"""Where a stable flow says that its method loses stability: closed forms, bisection, the method beside it."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from edgewise.flows import StableFlow
from edgewise.foundation import SettingError
from edgewise.methods import (
    SAM,
    Adagrad,
    Adam,
    AnyMethod,
    AtEdgeRatio,
    DecoupledWeightDecay,
    Drop,
    FrozenAdam,
    GradientDescent,
    HeavyBall,
    Muon,
    NAdam,
    NAdamState,
    NormalizedGD,
    NormalizedGDState,
    ParameterGroups,
    Projected,
    RMSProp,
    SAMState,
    ScheduleFree,
    ScheduleFreeState,
    SqrtLossGD,
    SqrtLossGDState,
    WeightDecay,
    critical_curvature_by_bisection,
)
from edgewise.objectives import Objective, Point

START = torch.tensor([1.0, -0.7, 0.5], dtype=torch.float64)
NOTHING = torch.zeros(3, dtype=torch.float64)
STEPS = 20


def valley() -> Objective:
    """Curved, with a minimum of 0.1 that is not at zero."""
    c = torch.tensor([3.0, 1.0, 0.3], dtype=torch.float64)

    def loss(w: Tensor) -> Tensor:
        return 0.1 + (c * (w - 0.3) ** 2).sum() / 2 + (w[0] * w[1] - 0.09) ** 2

    return Objective.from_function(loss, 3, start=START)


def flown(method: AnyMethod, steps: int) -> tuple[StableFlow, Point, object]:
    objective = valley()
    flow = StableFlow(method, rtol=1e-6)
    w, state = objective.start, flow.init(objective, objective.start, seed=0)
    for step in range(steps):
        w, state = flow.advance(objective, objective.at(w), state, flow.step_size_at(step))
    return flow, objective.at(w), state


def stepped(method: AnyMethod, steps: int) -> tuple[Point, object]:
    """The method after so many steps, and what it sees there."""
    objective = valley()
    w, state = objective.start, method.init(objective.start)
    for _ in range(steps):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
    return objective.at(w), method.look(objective, objective.at(w), state)[1]


def norm(point: Point) -> float:
    return math.sqrt(sum(float(g) ** 2 for g in point.gradient))


def momentum_of(beta: float, decay: float, t: int) -> float:
    return beta * (1 - 0.5 * 0.96 ** (t * decay))


def schedule_free_edge(point: Point, η: float) -> float:
    c = 1 / (STEPS + 2)
    return (4 - 2 * c) / ((2 * (1 - 0.7) + (2 * 0.7 - 1) * c) * η)


def nadam_edge(point: Point, η: float) -> float:
    now, ahead = momentum_of(0.5, 0.1, STEPS + 1), momentum_of(0.5, 0.1, STEPS + 2)
    return 2 * 1.5 / ((1.5 * (1 - now) + 0.5 * ahead) * η)


def sam_edge(point: Point, η: float) -> float:
    size = norm(point)
    return size / (2 * 0.05) * (math.sqrt(1 + 8 * 0.05 / (η * size)) - 1)


NADAM = NAdam(0.01, (0.5, 0.9), momentum_decay=0.1)

# Each with its closed form, and the state of the method that its companion matrix is asked in.
SEEN: dict[str, tuple[AnyMethod, Callable[[Point, float], float], Callable[[Point], object]]] = {
    "normalized": (
        NormalizedGD(0.01),
        lambda point, η: 2 * norm(point) / η,
        lambda point: NormalizedGDState(STEPS, norm(point)),
    ),
    "root of the loss": (
        SqrtLossGD(0.01, minimum=0.1),
        lambda point, η: 4 * math.sqrt(float(point.value) - 0.1) / η,
        lambda point: SqrtLossGDState(STEPS, math.sqrt(float(point.value) - 0.1)),
    ),
    "SAM": (SAM(0.01, 0.05), sam_edge, lambda point: SAMState(STEPS, norm(point))),
    "schedule-free": (
        ScheduleFree(0.01, 0.7),
        schedule_free_edge,
        lambda point: ScheduleFreeState(STEPS, NOTHING, NOTHING),
    ),
    "NAdam": (NADAM, nadam_edge, lambda point: NAdamState(STEPS, NOTHING, NOTHING, torch.zeros(()))),
    "decoupled decay": (
        DecoupledWeightDecay(NADAM, 0.3),
        lambda point, η: (1 - η * 0.3 / 2) * nadam_edge(point, η),
        lambda point: NAdamState(STEPS, NOTHING, NOTHING, torch.zeros(())),
    ),
    "coupled decay": (
        WeightDecay(ScheduleFree(0.01, 0.7), 0.3),
        lambda point, η: schedule_free_edge(point, η) - 0.3,
        lambda point: ScheduleFreeState(STEPS, NOTHING, NOTHING),
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_the_edge_is_that_of_the_method_where_the_flow_is(name: str) -> None:
    method, closed_form, state_at = SEEN[name]
    flow, point, state = flown(method, STEPS)
    edge = flow.critical_curvature_at(point, state, STEPS)
    assert edge == pytest.approx(closed_form(point, 0.01), rel=1e-12)
    assert edge == pytest.approx(critical_curvature_by_bisection(method, state_at(point)), rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [NormalizedGD, lambda η: SqrtLossGD(η, minimum=0.1), lambda η: SAM(η, 0.05)],
    ids=["normalized", "root of the loss", "SAM"],
)
def test_what_is_seen_on_the_flow_is_what_the_method_sees_as_the_step_size_goes_to_zero(
    make: Callable[[float], AnyMethod],
) -> None:
    gaps = []
    for half in (1, 2):
        method, steps = make(0.01 / half), STEPS * half
        flow, point, state = flown(method, steps)
        _, looked = stepped(method, steps)
        gaps.append(
            abs(flow.critical_curvature_at(point, state, steps) / method.critical_curvature_at(looked) - 1)
        )
    assert gaps[0] < 0.05
    assert math.log2(gaps[0] / gaps[1]) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("method", [NADAM, ScheduleFree(0.01, 0.7)], ids=["NAdam", "schedule-free"])
def test_what_follows_from_the_number_of_steps_is_the_same(method: AnyMethod) -> None:
    # Of NAdam's start there is less left than 2⁻²⁰ in the product of its momenta.
    flow, point, state = flown(method, STEPS)
    _, looked = stepped(method, STEPS)
    own = method.critical_curvature_at(looked)
    assert flow.critical_curvature_at(point, state, STEPS) == pytest.approx(own, rel=1e-6)


def test_the_step_size_is_that_of_the_coming_step() -> None:
    method = NormalizedGD(Drop(0.01, 0.002, step=STEPS))
    flow, point, state = flown(method, STEPS)
    assert flow.critical_curvature_at(point, state, STEPS) == pytest.approx(2 * norm(point) / 0.002, rel=1e-12)
    assert flow.critical_curvature_at(point, state, STEPS - 1) == pytest.approx(2 * norm(point) / 0.01, rel=1e-12)


def test_what_is_projected_away_is_not_part_of_the_norm() -> None:
    # Near the minimum the dominant direction is the first axis.
    objective = Objective.from_function(
        lambda w: (torch.tensor([4.0, 1.0]).double() * w**2).sum() / 2, 2, start=torch.ones(2).double()
    )
    flow = StableFlow(Projected(NormalizedGD(0.1), k=1, part="bulk", rtol=1e-9))
    state = flow.init(objective, objective.start, seed=0)
    edge = flow.critical_curvature_at(objective.at(objective.start), state, 0)
    assert edge == pytest.approx(2 * 1.0 / 0.1, rel=1e-6)


@pytest.mark.parametrize(
    "groups",
    [
        ParameterGroups((GradientDescent(0.01), ScheduleFree(0.02)), sizes=(1, 2)),
        ParameterGroups((NAdam(0.01, (0.2, 0.9)), HeavyBall(0.02, 0.5)), sizes=(1, 2)),
        ParameterGroups((GradientDescent(0.01), HeavyBall(Drop(0.02, 0.005, step=STEPS), 0.5)), sizes=(1, 2)),
    ],
    ids=["schedule-free", "NAdam", "schedules of their own"],
)
def test_groups_have_one_edge_in_a_metric_of_their_own(groups: ParameterGroups) -> None:
    flow, point, state = flown(groups, STEPS)
    there, looked = stepped(groups, STEPS)
    assert flow.critical_curvature_at(point, state, STEPS) == pytest.approx(
        groups.critical_curvature_at(looked), rel=1e-9
    )
    P, own = flow.preconditioner(point, state), groups.preconditioner(there.w, there.gradient, looked)
    assert P is not None
    one = torch.ones(3, dtype=torch.float64)
    # NAdam's own P differs, as its point does, to first order in η; the others have none.
    assert (P @ one / (own @ one)).tolist() == pytest.approx([1.0] * 3, rel=0.05)
    assert ((P @ one) / (own @ one))[1:].tolist() == pytest.approx([1.0] * 2, rel=1e-9)


@pytest.mark.parametrize(
    "method",
    [
        GradientDescent(0.01),
        WeightDecay(HeavyBall(0.01, 0.5), 0.3),
        RMSProp(0.01, 0.9, eps=1.0),
        Adam(0.01, (0.5, 0.9)),
        FrozenAdam(0.01, (0.5, 0.9), freeze_at=5),
        Adagrad(0.01),
        Muon(0.01, 0.5, shapes=((1, 2), (1,)), precision=None),
    ],
    ids=lambda method: type(method).__name__,
)
def test_where_nothing_has_to_be_seen_nothing_is_computed(method: AnyMethod) -> None:
    flow, _, state = flown(method, 3)
    calls = 0

    def loss(w: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return (w**2).sum()

    objective = Objective.from_function(loss, 3, start=START)
    point, before = objective.at(START), calls
    assert flow.critical_curvature_at(point, state, 3) == method.critical_curvature
    assert calls == before


@pytest.mark.parametrize(
    "method", [AtEdgeRatio(HeavyBall(0.01, 0.5)), Projected(AtEdgeRatio(SAM(0.01, 0.05)), k=1)]
)
def test_a_driven_step_size_has_an_edge_that_the_flow_does_not_know(method: AnyMethod) -> None:
    flow, point, state = flown(method, 2)
    assert math.isnan(flow.critical_curvature_at(point, state, 2))
    with pytest.raises(SettingError, match="from the curvature that was measured on the way"):
        method.settled(START, 2)


def test_at_a_minimum_there_is_no_stable_curvature() -> None:
    bowl = Objective.from_function(lambda w: (w**2).sum() / 2, 3, start=NOTHING)
    for method in (NormalizedGD(0.1), SqrtLossGD(0.1), SAM(0.1, 0.05)):
        flow = StableFlow(method)
        assert flow.critical_curvature_at(bowl.at(NOTHING), flow.init(bowl, NOTHING, 0), 0) == 0.0
