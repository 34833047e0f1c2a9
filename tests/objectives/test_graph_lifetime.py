"""Graphs live as long as their point, and construction never holds more than one chunk's."""

import weakref
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function

from edgewise.objectives import DoubleBackward, Objective

CHUNKS = 12


class Token:
    """Lives as long as the graph that it was saved in."""


class Witnessed(Function):
    """The identity, whose node holds a token."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, tokens: "weakref.WeakSet[Token]") -> Tensor:
        ctx.token = Token()
        tokens.add(ctx.token)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return g, None


class Net(nn.Module):
    """A layer whose node saves its own output (tanh), after the witness."""

    tokens: ClassVar["weakref.WeakSet[Token]"] = weakref.WeakSet()
    most: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(Witnessed.apply(self.layer(x), Net.tokens))
        Net.most = max(Net.most, len(Net.tokens))
        return y


@pytest.fixture
def objective() -> Objective:
    Net.tokens.clear()
    Net.most = 0
    data = torch.randn(CHUNKS, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(CHUNKS, 2)
    return Objective.from_module(Net(), nn.MSELoss(), data, chunk_size=1)


def test_construction_holds_the_graph_of_one_chunk_at_a_time(objective: Objective) -> None:
    # The criterion's own check looks at a few small chunks; the graph of one may die while the next is built.
    assert Net.most <= 3
    assert len(Net.tokens) == 0


def test_a_point_keeps_its_graph_and_takes_it_along(objective: Objective) -> None:
    for _ in range(3):
        at = objective.at(objective.start)
        at.hvp(torch.ones(objective.size))
        assert len(Net.tokens) == CHUNKS
        at.third(torch.ones(objective.size), torch.ones(objective.size))
        del at
        assert len(Net.tokens) == 0


def test_above_the_cap_a_product_holds_one_chunk_at_a_time(objective: Objective) -> None:
    capped = objective.using(DoubleBackward(memory_cap=0))
    at = capped.at(capped.start)
    at.hvp(torch.ones(objective.size))
    assert Net.most <= 3
    assert len(Net.tokens) == 0
