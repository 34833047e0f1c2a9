"""What theory says of deep networks at the edge, measured: each claim with its number, its range and its verdict.

These are single runs of minutes on two cores, at the sizes that are named; formulas and ranges are those of the
papers that are cited in the rooms `flows`, `theory` and `methods`.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.claims import Claim, verdicts
from benchmarks.table import Table
from edgewise.curvature import Hessian, Tracker
from edgewise.dynamics import (
    BatchSharpness,
    EffectiveSharpness,
    Loss,
    Run,
    Sharpness,
    evolve,
)
from edgewise.flows import GradientFlow, predict_dynamics
from edgewise.methods import SGD, Adam, AnyMethod, FrozenAdam, GradientDescent, RMSProp
from edgewise.objectives import Objective
from edgewise.problems import digits_mlp

Reals = NDArray[np.float64]


def measure(quick: bool) -> list[Table]:
    """All claims, each from its own run."""
    parts = (self_stabilization, adaptive, stochastic)
    return [verdicts("Verdicts", (claim for part in parts for claim in part(quick)))]


def self_stabilization(quick: bool) -> Iterator[Claim]:
    """The predicted dynamics at the edge of the digits: verdicts of damian2022selfstabilization."""
    lr, length = 2 / 14, 40 if quick else 200
    objective = digits_mlp(n=500, widths=(32, 32, 32), dtype=torch.float64).objective()
    setting = f"500 digits, 32-32-32 tanh, float64, η = 2/14, {length} steps from the crossing"
    w = _crossing(objective, lr)
    start = w
    x, x_told, y, y_told, excess, told = ([] for _ in range(6))
    tracker = Tracker(rtol=1e-4)
    memory = tracker.init(0)
    for state in islice(predict_dynamics(objective, w, GradientDescent(lr), length), length):
        w = w - lr * objective.gradient(w)
        at = state.displacement
        assert at is not None
        after = w - lr * objective.gradient(w)
        pairs, memory = tracker.read(Hessian(objective, (w + after) / 2), memory)
        x.append(float(at.modes.vectors[:, 0] @ (w - at.reference)))
        x_told.append(float(at.x[0]))
        y.append(float(pairs.values[0]) - 2 / lr)
        y_told.append(at.predicted_sharpness - 2 / lr)
        excess.append(float(objective.value(w)) - at.loss)
        told.append(float(at.covariance.diagonal().sum()) / lr)
    yield Claim("relative L2 error of the predicted x", setting, _error(x_told, x), high=0.1)
    yield Claim("relative L2 error of the predicted y", setting, _error(y_told, y), high=0.1)
    cycles = slice(0, _whole_cycles(np.array(y)))
    yield Claim(
        "mean excess loss ÷ δ²/η over whole cycles",
        setting,
        np.mean(excess[cycles]) / np.mean(told[cycles]),
        0.8,
        1.25,
    )
    flow = GradientFlow(rtol=1e-4, method=GradientDescent(lr))
    memory_of_flow = flow.init(objective, start, 0)
    z = start
    for _ in range(length):
        z, memory_of_flow = flow.advance(objective, objective.at(z), memory_of_flow, lr)
    closer = float((w - z).norm() / (w - at.reference).norm())
    yield Claim("distance to gradient flow ÷ to the constrained trajectory", setting, closer, low=3.0)


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
    at = steps // 2
    frozen = FrozenAdam(method.lr, method.betas, method.eps, freeze_at=at)
    beside = evolve({"frozen": frozen}, run.recipe.problem, steps, [EffectiveSharpness(every=5)])
    loss = run.loss.values[0], beside.loss.values[0]
    worse = float(np.nanmax(loss[1][at:]) / np.nanmax(loss[0][at:]))
    setting = f"the same run, its preconditioner frozen from step {at}"
    yield Claim("largest loss of frozen Adam ÷ of Adam", setting, worse, low=2.0)


def stochastic(quick: bool) -> Iterator[Claim]:
    """Batch sharpness settles at 2/η, full-batch sharpness below: andreyev2024edge."""
    lr, steps, problem = 2 / 30, 200 if quick else 20000, digits_mlp(widths=(64, 64))
    every = steps // 20
    for batch in (8, 32):
        probes = [Loss(every=every), Sharpness(every=every), BatchSharpness(batch, rtol=0.01, every=every)]
        run = evolve({"sgd": SGD(lr, batch)}, problem, steps, probes)
        setting = f"1,797 digits, 64-64 tanh, SGD, η = 2/30, batches of {batch}, {steps} steps"
        ratio = run.batch_edge_ratio.values[0]
        ratio = ratio[np.isfinite(ratio)]
        plateau = float(np.median(ratio[len(ratio) // 2 :]))
        yield Claim("plateau of batch sharpness × η/2", setting, plateau, 0.9, 1.1)
        full = run.edge_ratio.values[0, :, 0]
        full = full[np.isfinite(full)]
        yield Claim("full-batch sharpness × η/2, at the end", setting, float(full[-1]), high=0.95)


def _crossing(objective: Objective, lr: float) -> torch.Tensor:
    """The first iterate of gradient descent at which the sharpness is at 2/η."""
    method, w = GradientDescent(lr), objective.start
    tracker = Tracker(rtol=1e-3)
    memory = tracker.init(0)
    while True:
        point = objective.at(w)
        pairs, memory = tracker.read(Hessian.at(point), memory)
        if float(pairs.values[0]) >= 2 / lr:
            return w
        w, _ = method.step(w, point.gradient, method.init(w))


def _error(told: list[float], measured: list[float]) -> float:
    ours, theirs = np.array(told), np.array(measured)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _whole_cycles(y: Reals) -> int:
    """Steps up to the last upward crossing of the edge, where a whole number of cycles has passed; all if none."""
    crossings = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    return int(crossings[-1]) + 1 if crossings.size else y.size
