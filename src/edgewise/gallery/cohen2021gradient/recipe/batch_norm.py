"""Networks with batch normalisation: the curvature between one iterate and the next.

Where batches are normalised the curvature may change within a step, and what decides whether the step is stable is
not only what it is at its beginning. Here it is read at nine places along the step, w − sη∇L(w), s = 0, ⅛, … 1,
and with it the effective smoothness, the largest of ‖∇L(w) − ∇L(w − sη∇L(w))‖ / ‖sη∇L(w)‖.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from edgewise.curvature import Hessian, Tracker
from edgewise.data import CIFAR10, Digits
from edgewise.gallery.cohen2021gradient.recipe.network import dealt_anew, device
from edgewise.methods import GradientDescent
from edgewise.models import CNN, VGG11
from edgewise.problems import Problem, SquaredError
from edgewise.reproduction import Computation, Experiment, Scale

_PLACES = np.linspace(0.0, 1.0, 9)
_GHOST = 1000
_GOAL = 0.99

# Critical curvatures 2/η, the most steps, and the steps from reading to reading.
_RANGE = {
    Scale.SMOKE: ((12, 17, 24), 600, 25),
    Scale.LAPTOP: ((15, 25, 40), 400, 41),
    Scale.PAPER: ((10, 20, 40, 80), 4000, 51),
}


def fig90(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent with several step sizes, in fixed ghost batches."""
    problem = normalised(scale)
    criticals, steps, every = _RANGE[scale]
    return {
        f"η = 2/{critical}": Computation(
            along, {"problem": problem, "critical": critical, "steps": steps, "every": every}
        )
        for critical in criticals
    }


def normalised(scale: Scale) -> Problem:
    """A convolutional network (smoke) or VGG-11, with batch normalisation."""
    smoke = scale is Scale.SMOKE
    samples = {Scale.SMOKE: 50, Scale.LAPTOP: 100, Scale.PAPER: 5000}[scale]
    return Problem(
        name="cnn_bn" if smoke else "vgg_bn",
        data=Digits(n=samples) if smoke else CIFAR10(n=samples),
        model=CNN(channels=(8, 8), pooling="average", batch_norm=True)
        if smoke
        else VGG11(width=64 if scale is Scale.PAPER else 4, batch_norm=True),
        criterion=SquaredError(),
        ghost_batch=min(samples, _GHOST),
        device=device(scale),
    )


def along(problem: Problem, critical: int, steps: int, every: int) -> xr.Dataset:
    """Loss and accuracy at every step, and at some what is met along it, until all is fitted.

    Args:
        problem: what is descended; digits get other labels.
        critical: 2/η.
        steps: how many at most.
        every: the steps from reading to reading; odd, so that both sides of an oscillation are read.
    """
    objective = (dealt_anew(problem) if isinstance(problem.data, Digits) else problem).objective()
    method, tracker = GradientDescent(2 / critical), Tracker(k=1, rtol=1e-2)
    memories = [tracker.init(problem.seed) for _ in _PLACES]
    w, state = objective.start, method.init(objective.start)
    losses, accuracies, curvatures, smoothness = [], [], [], []
    for t in range(steps + 1):
        point = objective.at(w)
        losses.append(float(point.value))
        accuracies.append(float(point.metrics["accuracy"]))
        ends = t == steps or accuracies[-1] > _GOAL
        row, quotients = np.full(len(_PLACES), np.nan), np.full(len(_PLACES), np.nan)
        if ends or t % every == 0:
            for i, place in enumerate(_PLACES):
                there = objective.at(w.add(point.gradient, alpha=-place * 2 / critical))
                pairs, memories[i] = tracker.read(
                    Hessian.at(there), memories[i], float(critical), [there.gradient]
                )
                row[i] = float(pairs.values[0])
                if place > 0:
                    way = float(point.gradient.norm()) * place * 2 / critical
                    quotients[i] = float((point.gradient - there.gradient).norm()) / way
        curvatures.append(row)
        smoothness.append(quotients[1:].max())
        if ends:
            break
        w, state = method.step(w, point.gradient, state)
    curvature = np.array(curvatures)
    step = np.arange(len(losses))
    series = {
        "loss": np.array(losses),
        "accuracy": np.array(accuracies),
        "sharpness": curvature[:, 0],
        "sharpness_along_step": curvature.max(axis=1),
        "effective_smoothness": np.array(smoothness),
        "critical_curvature": np.full(len(losses), float(critical)),
    }
    return xr.Dataset(
        {name: (("process", "step"), values[None]) for name, values in series.items()},
        coords={
            "process": ["gd"],
            "step": step,
            "time": (("process", "step"), (step * 2 / critical)[None]),
        },
    )
