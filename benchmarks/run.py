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
from benchmarks.nets import Descent, descents
from benchmarks.table import Table, Target
from benchmarks.timing import progress
from edgewise.dynamics import Probe, Progress, Readings, Sharpness, evolve
from edgewise.methods import GradientDescent
from edgewise.objectives import Objective

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
    """The net of the paper at its edge where its data are found, and the small one of the demo."""
    rounds = 2 if quick else 7
    costs, words = {}, []
    for descent in descents():
        w, start = edge_point(descent)
        costs[descent.name] = _segments(descent, w, rounds)
        words.append(f"{descent.words}, from step {start}")
    rows = [
        [name, *(cell for cost in costs.values() for cell in (*_cells(cost, name), f"{cost[name][1]:.2f}"))]
        for name in PROBES
    ]
    columns = [cell for name in costs for cell in (f"{name}: ms a step", "ratio", "products a step")]
    first, cost = next(iter(costs.items()))
    return [
        Table(
            title="A run that reads the sharpness",
            setting=(
                f"Gradient descent at the edge of stability, written to the run store: {rounds} segments of "
                f"{STEPS} steps, one after the other, each run in every way in turn; medians of seconds, means of "
                f"products, without the cold start of a segment. {'. '.join(words)}. The digits are so small that "
                "what is not a product shows."
            ),
            columns=["a run that reads", *columns],
            rows=rows,
            targets=[
                Target(
                    what=f"reading {words} on {first} ÷ reading nothing:", measured=_ratio(cost, name), limit=limit
                )
                for name, words, limit in ((EVERY, "every step", 3.5), (TENTH, "every 10th step", 1.3))
            ],
        )
    ]


Costs = dict[str, tuple[float, float]]
"""Seconds and products a step, by what was read."""


def _cells(costs: Costs, name: str) -> tuple[str, str]:
    return f"{1e3 * costs[name][0]:.1f}", f"{_ratio(costs, name):.2f}"


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


def _segments(descent: Descent, w: Tensor, rounds: int) -> Costs:
    objective = descent.problem.objective()
    seconds: dict[str, list[float]] = {name: [] for name in PROBES}
    products: dict[str, list[float]] = {name: [] for name in PROBES}
    for _ in progress(range(rounds), f"runs: {descent.name}", rounds):
        here = _from(objective, w)
        for name, probes in PROBES.items():
            clock = Clock()
            evolve({"gd": GradientDescent(descent.step_size)}, here, STEPS, probes, (), progress=clock)
            seconds[name] += _per_period(clock.times)
            products[name].append(statistics.mean(clock.products[SETTLE + 1 :]))
        for _ in range(STEPS):
            w = w - descent.step_size * objective.gradient(w)
    return {name: (statistics.median(seconds[name]), statistics.mean(products[name])) for name in PROBES}


def _per_period(times: Sequence[float]) -> list[float]:
    """Seconds a step, averaged over each whole period after the start."""
    marks = times[SETTLE::PERIOD]
    return [(later - earlier) / PERIOD for earlier, later in pairwise(marks)]
