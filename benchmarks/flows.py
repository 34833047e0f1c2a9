"""Gradient flow: how near the end point, for how many gradients.

One network, one length of time, several integrators at several tolerances. The distance is to the end point of a
reference in double precision, at a tolerance so tight that one ten times looser moves it by far less than any
distance in the table; it is kept in the folder for temporary files, named after everything it depends on.
"""

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.nets import images
from benchmarks.table import Table, Target
from benchmarks.timing import progress
from edgewise.flows import RK4, RKC2, RKC3, ROCK4, Cost, GradientFlow
from edgewise.models import MLP
from edgewise.problems import Problem, SquaredError

TIME = 20.0
_PRODUCT = 1.09  # counted operations of a product on this network, in gradients
_REFERENCE = GradientFlow(rtol=1e-6, integrator=ROCK4())
_FIXED = RK4(alpha=1.0)


def measure(quick: bool) -> list[Table]:
    """Every integrator at every tolerance, from one start."""
    problem = Problem(name="mlp", data=images(20 if quick else 200), model=MLP(), criterion=SquaredError())
    time = 0.5 if quick else TIME
    end = _reference(problem, time)
    flows = {
        "RK4, h = 2/S": GradientFlow(integrator=RK4(alpha=2.0)),
        "RK4, h = 1/S": GradientFlow(integrator=_FIXED),
    }
    for integrator, tolerances in (
        (RKC2(), (1e-3, 1e-4)),
        (RKC3(), (1e-3, 1e-4, 1e-5, 3e-6)),
        (ROCK4(), (1e-2, 3e-3)),
    ):
        for rtol in tolerances:
            name = f"{type(integrator).__name__}, rtol {rtol:.0e}"
            flows[name] = GradientFlow(rtol=rtol, integrator=integrator)
    found: dict[str, tuple[Cost, float]] = {}
    for name, flow in progress(flows.items(), "gradient flow", len(flows)):
        w, cost = _follow(flow, problem, time)
        found[name] = cost, float((w.double() - end).norm())
    fixed_cost, fixed_distance = found["RK4, h = 1/S"]
    as_good = [cost for name, (cost, d) in found.items() if name != "RK4, h = 1/S" and d <= fixed_distance]
    best = min(as_good, key=lambda cost: cost.gradients + _PRODUCT * cost.products, default=fixed_cost)
    rows = []
    for name, (cost, distance) in found.items():
        counted = cost.gradients + _PRODUCT * cost.products
        rows.append(
            [
                name,
                str(cost.gradients),
                str(cost.products),
                f"{counted:.0f}",
                f"{cost.equivalents:.0f}",
                f"{distance:.1e}",
            ]
        )
    return [
        Table(
            title="Gradient flow, work and precision",
            setting=(
                f"MLP 3072-200-200-10, tanh, squared error, {20 if quick else 200} images "
                f"({type(problem.data).__name__}), flow time {time:g}, float32. Distance of the end point from "
                f"that of ROCK4 at rtol 1e-6 in float64. A product counts {_PRODUCT} gradients by its operations "
                "on this network, and 2 in `Cost.equivalents`, which is meant for any network. Products are those "
                "of the tracked sharpness, the cold start included; RK4 is not charged for its own in the targets."
            ),
            columns=["", "gradients", "products", "in gradients", "at 2 a product", "distance"],
            rows=rows,
            targets=[
                Target(
                    what="the cheapest that ends as near as RK4 with h = 1/S ÷ its gradients, products included:",
                    measured=(best.gradients + _PRODUCT * best.products) / fixed_cost.gradients,
                    limit=1 / 15,
                ),
                Target(
                    what="the same, gradients alone:",
                    measured=best.gradients / fixed_cost.gradients,
                    limit=1 / 15,
                ),
            ],
        )
    ]


def _follow(flow: GradientFlow, problem: Problem, time: float) -> tuple[Tensor, Cost]:
    objective = problem.objective()
    state = flow.init(objective, objective.start, seed=0)
    w, state = flow.advance(objective, objective.at(objective.start), state, time)
    return w, flow.cost(state)


def _reference(problem: Problem, time: float) -> Tensor:
    recipe = f"{problem} {problem.provenance()['checksum']} {time} {_REFERENCE} {torch.__version__}"
    name = f"edgewise-flow-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.safetensors"
    path = Path(tempfile.gettempdir()) / name
    if not path.exists():
        w, _ = _follow(_REFERENCE, replace(problem, dtype=torch.float64), time)
        save_file({"w": w}, path)
    return load_file(path)["w"]
