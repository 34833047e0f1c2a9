"""What theory says of deep networks at the edge, measured: each claim with its number, its range and its verdict.

These are single runs of minutes on two cores, at the sizes that are named; formulas and ranges are those of the
papers that are cited in the rooms `flows`, `theory` and `methods`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.claims import Claim, verdicts
from benchmarks.nets import has_cifar
from benchmarks.table import Table
from edgewise.curvature import Hessian, Tracker
from edgewise.dynamics import (
    BatchSharpness,
    Distance,
    EffectiveSharpness,
    Loss,
    Midpoint,
    Run,
    Sharpness,
    evolve,
)
from edgewise.flows import ConstrainedFlow, GradientFlow, predict_dynamics
from edgewise.methods import SGD, Adam, AnyMethod, FrozenAdam, GradientDescent, RMSProp
from edgewise.objectives import Objective
from edgewise.problems import cifar10_mlp, digits_mlp

Reals = NDArray[np.float64]


def measure(quick: bool) -> list[Table]:
    """All claims, each from its own run."""
    parts = (self_stabilization, adaptive, stochastic)
    return [verdicts("Verdicts", (claim for part in parts for claim in part(quick)))]


def self_stabilization(quick: bool) -> Iterator[Claim]:
    """The predicted dynamics at the edge of the digits: verdicts of damian2022selfstabilization.

    As there, the run comes to the edge in float32 and is compared in float64. At its first crossing the
    displacement along u is of the size of rounding, and grows by orders of magnitude before it matters; at the
    second one there is an oscillation to predict.
    """
    lr, length = 2 / 14, 40 if quick else 200
    setting = f"500 digits, 32-32-32 tanh, η = 2/14, {length} steps from crossing"
    for crossing in (1,) if quick else (1, 2):
        at = f"{setting} {crossing}"
        told = _Told.of(lr, crossing, length)
        yield Claim("relative L2 error of the predicted x", at, _error(told.predicted_x, told.x), high=0.1)
        yield Claim("relative L2 error of the predicted y", at, _error(told.predicted_y, told.y), high=0.1)
        cycles = slice(0, _whole_cycles(np.array(told.y)))
        mean = float(np.mean(told.excess[cycles]) / np.mean(told.predicted_excess[cycles]))
        yield Claim("mean excess loss ÷ δ²/η over whole cycles", at, mean, 0.8, 1.25)
    method, steps = GradientDescent(lr), 60 if quick else 1000
    processes = {
        "gd": method,
        "mid": Midpoint("gd"),
        "constrained": ConstrainedFlow(method),
        "flow": GradientFlow(),
    }
    distances = [Distance("mid", "constrained"), Distance("mid", "flow")]
    run = evolve(processes, digits_mlp(n=500, widths=(32, 32, 32)), steps, distances)
    to_flow, to_constrained = (float(run.distance.sel(process=name)[-1]) for name in ("flow", "constrained"))
    setting = f"500 digits, 32-32-32 tanh, η = 2/14, {steps} steps from the start"
    yield Claim("distance to gradient flow ÷ to the constrained flow", setting, to_flow / to_constrained, low=3.0)


@dataclass(slots=True)
class _Told:
    """What the predicted dynamics said from one crossing on, beside what gradient descent did."""

    x: list[float] = field(default_factory=list)
    predicted_x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    predicted_y: list[float] = field(default_factory=list)
    excess: list[float] = field(default_factory=list)
    predicted_excess: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, lr: float, crossing: int, length: int) -> "_Told":
        """Compare them step by step."""
        single, double = (
            digits_mlp(n=500, widths=(32, 32, 32), dtype=dtype).objective()
            for dtype in (torch.float32, torch.float64)
        )
        w = _crossing(single, lr, crossing).double()
        tracker = Tracker(rtol=1e-4)
        memory = tracker.init(0)
        told = cls()
        for state in predict_dynamics(double, w, GradientDescent(lr), length, exact=True):
            w = w - lr * double.gradient(w)
            at = state.displacement
            if at is None or not len(at.x):
                continue
            after = w - lr * double.gradient(w)
            pairs, memory = tracker.read(Hessian(double, (w + after) / 2), memory)
            told.x.append(float(at.modes.vectors[:, 0] @ (w - at.reference)))
            told.predicted_x.append(float(at.x[0]))
            told.y.append(float(pairs.values[0]) - 2 / lr)
            told.predicted_y.append(at.predicted_sharpness - 2 / lr)
            told.excess.append(float(double.value(w)) - at.loss)
            told.predicted_excess.append(float(at.covariance.diagonal().sum()) / lr)
        return told


def adaptive(quick: bool) -> Iterator[Claim]:
    """Adam and RMSProp at the edge in their own metric: cohen2022adaptive."""
    steps = 60 if quick else 1500
    problem = digits_mlp(n=500, widths=(32, 32, 32))
    methods: dict[str, AnyMethod] = {"Adam": Adam(1e-3, (0.9, 0.99)), "RMSProp": RMSProp(2e-4, beta2=0.99)}
    for name, method in methods.items():
        run = evolve({name: method}, problem, steps, [Sharpness(every=5), EffectiveSharpness(every=5)])
        setting = f"500 digits, 32-32-32 tanh, {method}, {steps} steps, full batch"
        ratio = run.effective_edge_ratio.values[0, :, 0]
        last = ratio[len(ratio) // 2 :]
        yield Claim(
            f"{name}: median effective edge ratio, second half", setting, float(np.nanmedian(last)), 0.9, 1.1
        )
        raw = run.sharpness.values[0, :, 0]
        raw = raw[np.isfinite(raw)]
        yield Claim(
            f"{name}: raw sharpness at the end ÷ at half time", setting, raw[-1] / raw[len(raw) // 2], low=1.0
        )
        if name == "Adam":
            yield from _frozen(run, method, steps)


def _frozen(run: Run, method: AnyMethod, steps: int) -> Iterator[Claim]:
    """With its preconditioner frozen at the edge, Adam goes on sharpening and loses its stability."""
    assert isinstance(method, Adam)
    at = steps // 5  # at less than half of its edge ratio
    frozen = FrozenAdam(method.lr, method.betas, method.eps, freeze_at=at)
    beside = evolve({"frozen": frozen}, run.recipe.problem, steps, [EffectiveSharpness(every=5)])
    setting = f"the same run, its preconditioner frozen from step {at}"
    ratio, loss = beside.effective_edge_ratio.values[0, :, 0], beside.loss.values[0]
    crossed = np.flatnonzero((ratio >= 1) & (np.arange(steps + 1) > at))
    yield Claim("frozen Adam: largest effective edge ratio", setting, float(np.nanmax(ratio[at:])), low=1.0)
    if crossed.size:
        spike = float(np.nanmax(loss[crossed[0] :]) / loss[crossed[0]])
        yield Claim("frozen Adam: largest loss past the edge ÷ at the edge", setting, spike, low=2.0)
        calm = float(np.nanmax(run.loss.values[0, crossed[0] :]) / run.loss.values[0, crossed[0]])
        yield Claim("Adam itself, over the same steps", setting, calm, high=2.0)


def stochastic(quick: bool) -> Iterator[Claim]:
    """Batch sharpness settles at 2/η, full-batch sharpness below: andreyev2024edge."""
    if has_cifar() and not quick:
        problem, lr, steps = cifar10_mlp(n=2000), 0.02, 20000
        setting = "2,000 CIFAR-10 images, 200-200 tanh, SGD, η = 0.02, batches of 16, 20,000 steps"
    else:
        problem, lr, steps = digits_mlp(), 0.1, 100 if quick else 20000
        setting = f"1,797 digits, 64-64 tanh, SGD, η = 0.1, batches of 16, {steps} steps"
    every = steps // 20
    curvature = Sharpness(every=every), BatchSharpness(16, rtol=0.02, max_batches=300, every=every)
    run = evolve({"sgd": SGD(lr, 16)}, problem, steps, [Loss(every=every), *curvature])
    ratio, full = (
        series[np.isfinite(series)] for series in (run.batch_edge_ratio.values[0], run.edge_ratio.values[0, :, 0])
    )
    yield Claim(
        "batch sharpness × η/2, median of the last quarter", setting, float(np.median(ratio[-5:])), 0.9, 1.1
    )
    yield Claim("full-batch sharpness × η/2, likewise", setting, float(np.median(full[-5:])), high=0.95)


def _crossing(objective: Objective, lr: float, number: int) -> torch.Tensor:
    """The iterate of gradient descent at which the midpoint sharpness rises above 2/η for the given time."""
    w, below = objective.start, True
    tracker = Tracker(rtol=1e-3)
    memory = tracker.init(0)
    while True:
        after = w - lr * objective.gradient(w)
        pairs, memory = tracker.read(Hessian(objective, (w + after) / 2), memory)
        ratio = float(pairs.values[0]) * lr / 2
        if below and ratio >= 1:
            number, below = number - 1, False
            if number == 0:
                return w
        elif ratio < 0.99:
            below = True
        w = after


def _error(told: list[float], measured: list[float]) -> float:
    ours, theirs = np.array(told), np.array(measured)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _whole_cycles(y: Reals) -> int:
    """Steps up to the last upward crossing of the edge, where a whole number of cycles has passed; all if none."""
    crossings = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    return int(crossings[-1]) + 1 if crossings.size else y.size
