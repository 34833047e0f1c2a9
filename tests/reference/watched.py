"""Small trainings with a watch beside them, and a budget that can afford everything."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgewise.watch import Watch
from edgewise.watch.budget import Budget


def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every watch can afford a reading at every step, by each instrument in turn."""

    class Hours:
        def __init__(self) -> None:
            self.now = 0.0
            self.turns = Counter[str]()

        def __call__(self) -> float:
            return self.now

    make, begin = Budget.__init__, Budget.begin

    def with_hours(self: Any, share: float) -> None:
        make(self, share, Hours())

    def an_hour_later(self: Any, steps: int = 1) -> None:
        self.clock.now += 3600.0
        begin(self, steps)

    def in_turn(self: Any, wanted: Mapping[str, float]) -> str | None:
        # Around every tenth step nobody, which is when the norms have their chance.
        step = round(self.clock.now / 3600.0) - 1
        if not wanted or step % 10 in (9, 0):
            return None
        turns = self.clock.turns
        name = min(wanted, key=lambda name: turns[name])
        turns[name] += 1
        return name

    monkeypatch.setattr(Budget, "__init__", with_hours)
    monkeypatch.setattr(Budget, "begin", an_hour_later)
    monkeypatch.setattr(Budget, "next", in_turn)


def digits_like(samples: int = 24, inputs: int = 6, classes: int = 3, dtype: torch.dtype = torch.float32) -> Any:
    """A batch for a classifier: points about a centre for each class."""
    numbers = torch.Generator().manual_seed(5)
    labels = torch.arange(samples) % classes
    centres = torch.randn(classes, inputs, generator=numbers, dtype=torch.float64)
    points = centres[labels] + 0.7 * torch.randn(samples, inputs, generator=numbers, dtype=torch.float64)
    return points.to(dtype), labels


def mlp(*, dtype: torch.dtype = torch.float32, width: int = 8, inputs: int = 6, classes: int = 3) -> nn.Sequential:
    """A small smooth network, the same at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, classes)).to(dtype)


def dense_hessian(model: nn.Module, criterion: Callable[..., Tensor], batch: Any) -> tuple[Tensor, Tensor]:
    """Gradient and Hessian of the loss by the trainable parameters, one row after another, in float64."""
    named = {name: p.detach().double() for name, p in model.named_parameters() if p.requires_grad}
    others = {name: p.detach().double() for name, p in model.named_parameters() if not p.requires_grad}
    w = torch.cat([p.reshape(-1) for p in named.values()])
    inputs, targets = (t.double() if t.is_floating_point() else t for t in batch)

    def loss(w: Tensor) -> Tensor:
        pieces = w.split([p.numel() for p in named.values()])
        parts = {name: piece.view(p.shape) for (name, p), piece in zip(named.items(), pieces, strict=True)}
        return criterion(torch.func.functional_call(model, {**others, **parts}, (inputs,)), targets)

    return torch.func.grad(loss)(w), torch.func.hessian(loss)(w)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    criterion: Callable[..., Tensor],
    batches: Callable[[int], Any],
    steps: int,
    watch: Watch | None = None,
    each: Callable[[int], None] | None = None,
) -> list[float]:
    """A plain loop."""
    losses = []
    for step in range(steps):
        inputs, targets = batches(step)
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if watch is not None:
            watch.step(loss)
        if each is not None:
            each(step)
    return losses
