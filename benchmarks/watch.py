"""Whether a watch costs what it was allowed to: its seconds ÷ those of the training, on three kinds of training.

Both are measured from outside, around `watch.step` and around the rest of the loop.
"""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.nets import images
from benchmarks.table import Table, Target
from benchmarks.timing import progress
from edgewise.data import LoadedData, SyntheticText
from edgewise.models import CNN, MLP, Transformer
from edgewise.watch import Watch

BUDGETS = (0.01, 0.03, 0.1)
# Nothing can be read for so little: what is left is the fixed cost of a step.
NOTHING = 1e-9
SECONDS, SECONDS_QUICK = 25.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Somebody's training.

    Attributes:
        words: what it is.
        data: what it is fitted to.
        build: makes the network.
        optimizer: makes its optimiser.
        batch: samples of an update.
    """

    words: str
    data: LoadedData
    build: Callable[[LoadedData], nn.Module]
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    batch: int


def measure(quick: bool) -> list[Table]:
    """Every training under every budget, and with nothing to spend."""
    seconds = SECONDS_QUICK if quick else SECONDS
    trainings = _trainings()
    jobs = [(name, budget) for name in trainings for budget in (*BUDGETS, NOTHING)]
    kept: dict[tuple[str, float], float] = {}
    fixed: dict[str, float] = {}
    readings: dict[tuple[str, float], int] = {}
    for name, budget in progress(jobs, "watch", len(jobs)):
        own, training, idle, read = _watched(trainings[name], budget, seconds if budget > NOTHING else seconds / 5)
        kept[name, budget], readings[name, budget] = own / training, read
        if budget == NOTHING:
            fixed[name] = 1e6 * idle
    rows = [
        [
            name,
            *(f"{kept[name, budget]:.2%} ({readings[name, budget]})" for budget in BUDGETS),
            f"{fixed[name]:.0f}",
        ]
        for name in trainings
    ]
    targets = [
        Target(
            what=f"{name}, {budget:.0%}: the kept share is off the stated one by, of it,",
            measured=abs(kept[name, budget] / budget - 1.0),
            limit=1 / 3,
        )
        for name in trainings
        for budget in BUDGETS
    ]
    words = "; ".join(f"{name}: {training.words}" for name, training in trainings.items())
    setting = (
        f"Seconds in `watch.step` ÷ seconds in the rest of the loop, over {seconds:g} s of training each, in "
        "brackets the number of readings; and the median microseconds of a `watch.step` that is allowed to read "
        f"nothing. {words}."
    )
    columns = ["", *(f"budget {budget:.0%}" for budget in BUDGETS), "fixed cost, µs"]
    return [Table(title="The budget of a watch", setting=setting, columns=columns, rows=rows, targets=targets)]


def _trainings() -> dict[str, Training]:
    pictures = images(2000)
    kind = "CIFAR-10" if pictures.__class__.__name__ == "CIFAR10" else "synthetic images"
    return {
        "MLP": Training(
            words=f"3072-200-200-10, SGD with momentum, {kind}, batches of 128",
            data=pictures.load(),
            build=lambda data: MLP(widths=(200, 200)).build(data.input_shape, data.outputs, 0),
            optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
            batch=128,
        ),
        "CNN": Training(
            words=f"two convolutions of 32 channels, SGD with momentum, {kind}, batches of 64",
            data=pictures.load(),
            build=lambda data: CNN().build(data.input_shape, data.outputs, 0),
            optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
            batch=64,
        ),
        "GPT": Training(
            words="2 blocks of width 64, AdamW, synthetic text, batches of 16 × 32 tokens",
            data=SyntheticText(n=512, context=32).load(),
            build=lambda data: Transformer(layers=2, width=64).build(data.input_shape, data.outputs, 0),
            optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=1e-3),
            batch=16,
        ),
    }


def _watched(training: Training, budget: float, seconds: float) -> tuple[float, float, float, int]:
    """Train for so long: seconds of the watch, seconds of the rest, its median call, and how much was read."""
    data = training.data
    model = training.build(data)
    optimizer = training.optimizer(model)
    order = torch.Generator().manual_seed(0)
    watch = Watch(model, optimizer, _loss, (data.inputs[:256], data.targets[:256]), budget)
    calls: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        chosen = torch.randint(len(data), (training.batch,), generator=order)
        inputs, targets = data.inputs[chosen], data.targets[chosen]
        optimizer.zero_grad()
        loss = _loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        before = time.perf_counter()
        watch.step(loss, (inputs, targets))
        calls.append(time.perf_counter() - before)
    own = math.fsum(calls)
    return own, time.perf_counter() - began - own, statistics.median(calls), len(watch.readings)


def _loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of classes, or of the token at every place."""
    return nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())
