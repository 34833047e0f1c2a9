"""Stochastic gradient descent with batches of several sizes, and with a step size that is raised on the way."""

from collections.abc import Mapping

from edgewise.dynamics import BatchSharpness, Loss, Problem, Sharpness
from edgewise.methods import SGD, AnyMethod, Drop
from edgewise.problems import cifar10_mlp, digits_mlp
from edgewise.reproduction import Descent, Experiment, Scale

BATCHES = (8, 32, 128)
RAISED_AT = {Scale.SMOKE: 800, Scale.LAPTOP: 1500, Scale.PAPER: 20_000}
FACTORS = (1, 1.5, 2)


def batches(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The same step size with batches of several sizes."""
    problem, step_size, steps = _setting(scale, seed)
    return {f"B = {size}": _descent(problem, SGD(step_size, size), size, steps, 15) for size in BATCHES}


def catapult(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The step size raised on the way: not at all, and to more and more."""
    problem, step_size, _ = _setting(scale, seed)
    at, size = RAISED_AT[scale], BATCHES[1]
    return {
        f"η × {factor:g}": _descent(
            problem, SGD(Drop(step_size, factor * step_size, at), size), size, at + at // 4, 5
        )
        for factor in FACTORS
    }


def _setting(scale: Scale, seed: int) -> tuple[Problem, float, int]:
    if scale is Scale.SMOKE:
        return digits_mlp(n=500, widths=(32, 32), seed=seed), 0.2, 1500
    if scale is Scale.LAPTOP:
        return cifar10_mlp(n=1000, seed=seed), 0.02, 3000
    return cifar10_mlp(n=None, seed=seed), 0.01, 200_000


def _descent(problem: Problem, method: AnyMethod, size: int, steps: int, readings: int) -> Descent:
    every = steps // readings
    return Descent(
        processes={"sgd": method},
        problem=problem,
        steps=steps,
        probes=(
            Loss(every=10),
            Sharpness(every=every),
            BatchSharpness(size, rtol=0.05, max_batches=100, every=every),
        ),
    )
