"""Which flow tracks gradient descent best, and at what cost: the same comparison on three problems."""

from dataclasses import dataclass

from benchmarks.nets import has_cifar
from benchmarks.table import Table
from edgewise.dynamics import compare_flows
from edgewise.methods import GradientDescent
from edgewise.problems import Problem, cifar10_mlp, digits_cnn, digits_mlp


@dataclass(frozen=True, slots=True)
class Course:
    """One problem, descended at a step size that brings it to its edge.

    Attributes:
        words: what it is.
        problem: what is descended.
        critical: 2/η.
        steps: how many, about half of them at the edge.
    """

    words: str
    problem: Problem
    critical: float
    steps: int


def courses() -> list[Course]:
    """Those whose data are here."""
    found = [
        Course("digits MLP: 500 digits, 64-32-32-32-10 tanh", digits_mlp(n=500, widths=(32, 32, 32)), 14.0, 700),
        Course("digits CNN: 300 digits, two convolutions of 8 channels, tanh", digits_cnn(n=300), 10.0, 800),
    ]
    if has_cifar():
        small = cifar10_mlp(n=200, widths=(64, 64))
        found.append(Course("CIFAR-10 MLP: 200 images, 3072-64-64-10 tanh", small, 120.0, 600))
    return found


def measure(quick: bool) -> list[Table]:
    """A table for each problem."""
    tables = []
    for course in courses():
        steps, seeds = (10, (0,)) if quick else (course.steps, (0, 1, 2))
        board = compare_flows(course.problem, GradientDescent(2 / course.critical), steps, seeds=seeds)
        tables.append(
            Table(
                title=f"Flows on the {course.words.split(':')[0]}",
                setting=(
                    f"{course.words.split(': ')[1]}, squared error, η = 2/{course.critical:g}, {steps} steps, "
                    f"{len(seeds)} seeds (mean ± standard deviation). Distance: from the midpoints of the run at "
                    "its end, relative to the way from the start. Errors: of the predicted loss and of the "
                    f"sharpness, relative, averaged over windows of {board.window} steps. Gradients a step: 1 for "
                    "a gradient, 2 for a Hessian-vector product, 4 for a third-order product."
                ),
                columns=[
                    "flow",
                    "distance",
                    "error of loss",
                    "error of sharpness",
                    "gradients a step",
                    "ms a step",
                    "ended",
                ],
                rows=[[flow, *board.cells(flow)] for flow in board.flows],
            )
        )
    return tables
