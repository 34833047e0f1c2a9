"""The central flow against gradient descent on a network, claim by claim."""

from collections.abc import Iterator

import numpy as np

from benchmarks.claims import Claim, verdicts
from benchmarks.nets import has_cifar
from benchmarks.table import Table
from edgewise.dynamics import Distance, Midpoint, ModeDisplacement, Sharpness, evolve
from edgewise.flows import CentralFlow, GradientFlow
from edgewise.methods import GradientDescent
from edgewise.problems import Problem, cifar10_mlp, digits_mlp


def measure(quick: bool) -> list[Table]:
    """Some twenty minutes on one core."""
    return [verdicts("Verdicts on the central flow", central(quick))]


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
