"""What a flow says it has cost against what it has asked: calls of the loss, products, third-order products."""

import pytest
import torch
from torch import Tensor

from edgewise.flows import (
    CentralFlow,
    ConstrainedFlow,
    Cost,
    EdgeFlow,
    GradientFlow,
    LimitingFlow,
    PredictedDynamics,
    RodFlow,
    StableFlow,
)
from edgewise.methods import (
    SAM,
    Adam,
    Drop,
    FrozenAdam,
    GradientDescent,
    HeavyBall,
    NormalizedGD,
    ParameterGroups,
    Projected,
    RMSProp,
    ScheduleFree,
    SqrtLossGD,
)
from edgewise.objectives import Objective, Point

ETA, STEPS = 0.1, 24


def rising(w: Tensor) -> Tensor:
    """Its sharpness rises by 0.05 % of 2/η a step, and reaches it at the second."""
    return 0.5 * (2 / ETA + w[1]) * w[0] ** 2 - 0.1 * w[1]


def valley(w: Tensor) -> Tensor:
    """Minimisers at w₁ = 0."""
    return 0.5 * (1 + w[0] ** 2) * w[1] ** 2


def curved(w: Tensor) -> Tensor:
    return 0.1 + (w**2).sum() / 2 + (w[0] * w[1] - 0.09) ** 2


EDGE = (rising, (0.0, -0.015))
VALLEY = (valley, (2.0, 0.3))
CURVED = (curved, (1.0, 0.5))

CASES = [
    (ConstrainedFlow(GradientDescent(ETA)), EDGE),
    (PredictedDynamics(GradientDescent(ETA)), EDGE),
    (PredictedDynamics(GradientDescent(ETA), exact=True), EDGE),
    (EdgeFlow(GradientDescent(ETA)), EDGE),
    (RodFlow(GradientDescent(ETA)), EDGE),
    (RodFlow(HeavyBall(ETA, 0.5)), CURVED),
    (RodFlow(RMSProp(0.01)), CURVED),
    (LimitingFlow(NormalizedGD(ETA)), VALLEY),
    (LimitingFlow(SqrtLossGD(ETA)), VALLEY),
    (CentralFlow(GradientDescent(ETA)), EDGE),
    (CentralFlow(GradientDescent(ETA), substeps=2), EDGE),
    (CentralFlow(RMSProp(0.01)), CURVED),
    (GradientFlow(method=GradientDescent(ETA)), CURVED),
    (StableFlow(GradientDescent(ETA)), CURVED),
    (StableFlow(SAM(ETA, 0.05)), CURVED),
    (StableFlow(Adam(0.01)), CURVED),
    (StableFlow(RMSProp(Drop(0.01, 0.02, step=5))), CURVED),
    (StableFlow(ScheduleFree(0.01)), CURVED),
    (StableFlow(FrozenAdam(0.01, freeze_at=9)), CURVED),
    (StableFlow(Projected(SAM(ETA, 0.05), 1)), CURVED),
    (StableFlow(ParameterGroups((GradientDescent(ETA), Adam(0.01)), sizes=(1, 1))), CURVED),
]


class Asked:
    """Counts what an objective is asked."""

    def __init__(self, loss, start, patch):
        self.gradients = self.products = self.thirds = 0

        def called(w):
            self.gradients += 1
            return loss(w)

        self.objective = Objective.from_function(called, len(start), start=torch.tensor(start).double())
        product, third = Point.hvp, Point.third
        self.gradients = 0  # without those that making it took

        def watched_product(point, v):
            self.products += 1
            return product(point, v)

        def watched_third(point, u, v):
            self.thirds += 1
            return third(point, u, v)

        patch.setattr(Point, "hvp", watched_product)
        patch.setattr(Point, "third", watched_third)

    @property
    def cost(self):
        return Cost(self.gradients, self.products, self.thirds)


@pytest.mark.parametrize(("flow", "problem"), CASES, ids=[str(flow) for flow, _ in CASES])
def test_it_costs_what_it_asks_for(flow, problem, monkeypatch):
    """In lock step, every point built anew: a product or a third-order product takes no further call."""
    asked = Asked(*problem, monkeypatch)
    w = asked.objective.start
    state = flow.init(asked.objective, w, seed=0)
    assert flow.cost(state) == asked.cost
    for step in range(STEPS):
        point = asked.objective.at(w, products=flow.products)
        w, state = flow.advance(asked.objective, point, state, flow.step_size_at(step))
        assert flow.cost(state) == asked.cost


@pytest.mark.parametrize(
    ("flow", "step"),
    [
        (ConstrainedFlow(GradientDescent(ETA)), Cost(gradients=1, products=2)),
        (EdgeFlow(GradientDescent(ETA)), Cost(gradients=3, products=1)),
        (RodFlow(GradientDescent(ETA)), Cost(gradients=2)),
        (CentralFlow(GradientDescent(ETA)), Cost(gradients=2, products=2)),
    ],
    ids=lambda case: type(case).__name__,
)
def test_a_step_below_the_edge_costs_what_is_documented(flow, step, monkeypatch):
    asked = Asked(rising, (0.0, -5.0), monkeypatch)
    w = asked.objective.start
    state, spent = flow.init(asked.objective, w, seed=0), []
    for _ in range(8):
        before = asked.cost
        point = asked.objective.at(w, products=flow.products)
        w, state = flow.advance(asked.objective, point, state, ETA)
        spent.append((asked.gradients - before.gradients, asked.products - before.products, asked.thirds))
    assert spent[3:] == [(step.gradients, step.products, 0)] * 5
