"""What reading the sharpness adds to a run: the same descent with and without it, in alternating segments."""

import copy
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.edge import edge_point
from benchmarks.nets import mlp_problem
from benchmarks.table import Table, Target
from benchmarks.timing import progress
from edgewise.dynamics import Probe, Progress, Readings, Sharpness, evolve
from edgewise.methods import GradientDescent
from edgewise.objectives import Objective
from edgewise.problems import digits_mlp

STEP_SIZE = 2 / 200
DIGITS_STEP_SIZE = 2 / 20
NOTHING, EVERY, TENTH = "nothing", "sharpness, every step", "sharpness, every 10th step"
PROBES: dict[str, tuple[Probe, ...]] = {
    NOTHING: (),
    EVERY: (Sharpness(),),
    TENTH: (Sharpness(every=10),),
    "top three, every step": (Sharpness(k=3),),
}
SETTLE = 10  # steps at the start of a segment, with its cold start, that are not timed
PERIOD = 10  # what is timed is a whole number of readings
STEPS = SETTLE + 3 * PERIOD


@dataclass(slots=True)
class Clock(Progress):
    """Notes when each row was read, and what the row cost in products."""

    times: list[float] = field(default_factory=list)
    products: list[float] = field(default_factory=list)

    def begin(self, step: int, steps: int) -> None:
        """Nothing."""

    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        """Look at the clock."""
        self.times.append(time.perf_counter())
        self.products += [float(row["products"]) for row in rows.values()]

    def end(self) -> None:
        """Nothing."""


def measure(quick: bool) -> list[Table]:
    """One column a network: the net of the paper at its edge, and the small one of the demo."""
    problem, digits = mlp_problem(1000), digits_mlp()
    w, start = edge_point(problem, STEP_SIZE)
    v, first = edge_point(digits, DIGITS_STEP_SIZE)
    data = "CIFAR-10" if "CIFAR-10" in problem.provenance()["source"] else "synthetic images"
    rounds = 2 if quick else 7
    large = _segments(problem.objective(), w, STEP_SIZE, rounds, "runs: MLP")
    small = _segments(digits.objective(), v, DIGITS_STEP_SIZE, rounds, "runs: digits")
    rows = []
    for name in PROBES:
        row = [name]
        for costs in (large, small):
            seconds, products = costs[name]
            row += [f"{1e3 * seconds:.1f}", f"{seconds / costs[NOTHING][0]:.2f}", f"{products:.2f}"]
        rows.append(row)
    columns = ["a run that reads", "CIFAR MLP: ms a step", "ratio", "products a step"]
    columns += ["digits: ms a step", "ratio", "products a step"]
    return [
        Table(
            title="A run that reads the sharpness",
            setting=(
                f"Gradient descent at the edge of stability, written to the run store: {rounds} segments of "
                f"{STEPS} steps, one after the other, each run in every way in turn; medians of seconds, means of "
                "products, without the cold start of a segment. CIFAR MLP: 3072-200-200-10, tanh, squared error, "
                f"1,000 images ({data}), η = 2/200, from step {start}. Digits: 64-64-64-10 on 1,797 images, "
                f"η = 2/20, from step {first}: a net so small that what is not a product shows."
            ),
            columns=columns,
            rows=rows,
            targets=[
                Target(what="reading every step ÷ reading nothing:", measured=_ratio(large, EVERY), limit=3.5),
                Target(
                    what="reading every 10th step ÷ reading nothing:", measured=_ratio(large, TENTH), limit=1.3
                ),
            ],
        )
    ]


Costs = dict[str, tuple[float, float]]
"""Seconds and products a step, by what was read."""


def _ratio(costs: Costs, name: str) -> float:
    return costs[name][0] / costs[NOTHING][0]


def _from(objective: Objective, w: Tensor) -> Objective:
    """The same objective, starting at w."""
    terms = objective.terms
    named = objective.space.unflatten(w)
    module = copy.deepcopy(terms.module).requires_grad_(True)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(named[name])
    ((inputs, targets),) = terms.data
    return Objective.from_module(module, terms.criterion, (inputs, targets))


def _segments(objective: Objective, w: Tensor, step_size: float, rounds: int, label: str) -> Costs:
    seconds: dict[str, list[float]] = {name: [] for name in PROBES}
    products: dict[str, list[float]] = {name: [] for name in PROBES}
    for _ in progress(range(rounds), label, rounds):
        here = _from(objective, w)
        for name, probes in PROBES.items():
            clock = Clock()
            evolve({"gd": GradientDescent(step_size)}, here, STEPS, probes, (), progress=clock)
            seconds[name] += _per_period(clock.times)
            products[name].append(statistics.mean(clock.products[SETTLE + 1 :]))
        for _ in range(STEPS):
            w = w - step_size * objective.gradient(w)
    return {name: (statistics.median(seconds[name]), statistics.mean(products[name])) for name in PROBES}


def _per_period(times: Sequence[float]) -> list[float]:
    """Seconds a step, averaged over each whole period after the start."""
    marks = times[SETTLE::PERIOD]
    return [(later - earlier) / PERIOD for earlier, later in pairwise(marks)]
