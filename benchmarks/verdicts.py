"""What theory says of deep networks at the edge, measured: each claim with its number, its range and its verdict.

These are single runs of minutes on two cores, at the sizes that are named; formulas and ranges are those of the
papers that are cited in the rooms `flows`, `theory` and `methods`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.nets import has_cifar
from benchmarks.table import Table
from edgewise.curvature import Hessian, Tracker
from edgewise.dynamics import (
    BatchSharpness,
    Distance,
    EffectiveSharpness,
    Loss,
    Midpoint,
    ModeDisplacement,
    Run,
    Sharpness,
    evolve,
)
from edgewise.flows import CentralFlow, GradientFlow, predict_dynamics
from edgewise.methods import SGD, Adam, AnyMethod, FrozenAdam, GradientDescent, RMSProp
from edgewise.objectives import Objective
from edgewise.problems import Problem, cifar10_mlp, digits_mlp

Reals = NDArray[np.float64]

COLUMNS = ["claim", "setting", "measured", "expected", "verdict"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a measured number, and whether it holds."""

    sentence: str
    setting: str
    measured: float
    low: float = -np.inf
    high: float = np.inf

    def row(self) -> list[str]:
        """As a row of the table."""
        low, high = (f"{bound:.4g}" for bound in (self.low, self.high))
        expected = f"{low} … {high}" if np.isfinite([self.low, self.high]).all() else None
        expected = expected or (f"≤ {high}" if np.isfinite(self.high) else f"≥ {low}")
        holds = self.low <= self.measured <= self.high
        return [self.sentence, self.setting, f"{self.measured:.4g}", expected, "holds" if holds else "**fails**"]


def measure(quick: bool) -> list[Table]:
    """All claims, each from its own run."""
    claims = [claim for part in (central, self_stabilization, adaptive, stochastic) for claim in part(quick)]
    return [
        Table(
            title="Verdicts",
            setting="One run each (seed 0); a claim that does not hold in it is shown failing.",
            columns=COLUMNS,
            rows=[claim.row() for claim in claims],
            targets=[],
        )
    ]


def central(quick: bool) -> Iterator[Claim]:
    """Central flow against gradient descent and gradient flow: verdicts (i) to (iv) of cohen2025understanding."""
    if has_cifar() and not quick:
        problem: Problem = cifar10_mlp(n=1000, classes=(0, 1, 2, 3), widths=(256, 256), activation="gelu")
        lr, steps, setting = 0.02, 1000, "4 classes of CIFAR-10, 1,000 images, 256-256 GELU, η = 0.02"
    else:
        problem, lr, steps = digits_mlp(n=500, widths=(32, 32, 32)), 2 / 14, 100 if quick else 1500
        setting = "500 digits, 32-32-32 tanh, η = 2/14"
    method = GradientDescent(lr)
    processes = {"gd": method, "mid": Midpoint("gd"), "central": CentralFlow(method), "flow": GradientFlow()}
    probes = [
        Sharpness(every=10),
        Distance("mid", "central"),
        Distance("mid", "flow"),
        ModeDisplacement("gd", "central"),
    ]
    run = evolve(processes, problem, steps, probes).dataset
    gd, flow, middle = (run.sel(process=name) for name in ("gd", "central", "mid"))
    setting += f", {steps} steps"
    onset = int(np.flatnonzero(middle.sharpness.values[:, 0] >= 2 / lr)[0])
    to_flow, to_central = (float(run.distance.sel(process=name)[-1]) for name in ("flow", "central"))
    yield Claim("(i) distance to the central flow ÷ to gradient flow", setting, to_central / to_flow, high=0.2)
    ratio = float(gd.loss[onset:].mean() / flow.predicted_loss[onset:].mean())
    yield Claim("(ii) mean loss at the edge ÷ predicted", setting, ratio, 0.95, 1.05)
    above = float(np.nanmax(flow.sharpness.values[:, 0]) / (2 / lr))
    yield Claim("(iii) largest sharpness of the central flow ÷ 2/η", setting, above, high=1.01)
    displaced, variance = flow.mode_displacement.values, flow.predicted_variance.values
    for mode in range(min(displaced.shape[1], variance.shape[1])):
        both = np.isfinite(displaced[:, mode]) & np.isfinite(variance[:, mode]) & (np.arange(steps + 1) >= onset)
        if both.sum() > steps // 4:
            measured = float((displaced[both, mode] ** 2).mean() / variance[both, mode].mean())
            yield Claim(f"(iv) mean ⟨u, w − w_c⟩² ÷ Σ, critical mode {mode + 1}", setting, measured, 0.7, 1.4)


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
