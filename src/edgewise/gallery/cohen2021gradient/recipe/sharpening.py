"""Progressive sharpening, and how much of it there is: the width, the depth, the number of samples."""

from collections.abc import Mapping

from edgewise.dynamics import Accuracy, AccuracyAbove, Diverged, Loss, Sharpness
from edgewise.flows import GradientFlow
from edgewise.gallery.cohen2021gradient.recipe.network import descent, network
from edgewise.methods import GradientDescent
from edgewise.problems import Problem
from edgewise.reproduction import Experiment, Scale

_FITTED = (Diverged(), AccuracyAbove(0.99))

# The critical curvature, which is never reached, the most steps, the steps from reading to reading, the samples.
_SMALL = {
    ("mse", Scale.SMOKE): (200, 30_000, 300, 200),
    ("mse", Scale.LAPTOP): (1000, 100_000, 1000, 5000),
    ("mse", Scale.PAPER): (600, 60_000, 50, 5000),
    ("ce", Scale.SMOKE): (100, 10_000, 50, 200),
    ("ce", Scale.LAPTOP): (400, 30_000, 400, 5000),
    ("ce", Scale.PAPER): (700, 60_000, 50, 5000),
}


def fig3(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent with a small step size until the samples are fitted; below the paper's scale its limit."""
    runs = {}
    for loss in ("mse", "ce"):
        critical, steps, every, samples = _SMALL[loss, scale]
        gd = GradientDescent(2 / critical)
        runs[loss] = descent(
            network(scale, loss=loss, samples=samples),
            {"gd": gd if scale is Scale.PAPER else GradientFlow(method=gd)},
            steps,
            (Sharpness(every=every), Loss(every), Accuracy(every)),
            _FITTED,
        )
    return runs


# Widths, depths, and numbers of samples.
WIDTHS = {
    Scale.SMOKE: (8, 32, 128, 512),
    Scale.LAPTOP: (25, 50, 100, 200),
    Scale.PAPER: (32, 64, 128, 256, 512, 1024),
}
DEPTHS = (1, 2, 3, 4)
_STARTS = {Scale.SMOKE: 3, Scale.LAPTOP: 3, Scale.PAPER: 5}
SIZES = {
    Scale.SMOKE: (25, 50, 100, 200),
    Scale.LAPTOP: (250, 500, 1000, 2000),
    Scale.PAPER: (1000, 2000, 5000, 10_000, 20_000),
}
# The samples where they are not what is varied, the time from reading to reading, and how long at most.
_FEW = {Scale.SMOKE: 50, Scale.LAPTOP: 500, Scale.PAPER: 5000}
_TICKS = {Scale.SMOKE: (2.0, 600.0), Scale.LAPTOP: (0.5, 100.0), Scale.PAPER: (1.0, 1000.0)}


def fig14(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Networks of several widths, in both parameterisations."""
    return {
        f"{kind}, width {width}": _fitted(
            scale, network(scale, width=width, parameterization=kind, samples=_FEW[scale], seed=seed)
        )
        for kind in ("standard", "ntk")
        for width in WIDTHS[scale]
    }


def fig17(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Networks of one to four hidden layers, from several initialisations each, which are judged together."""
    return {
        f"{hidden} hidden, start {start}": _fitted(
            scale, network(scale, hidden=hidden, samples=_FEW[scale], seed=start)
        )
        for hidden in DEPTHS
        for start in range(_STARTS[scale])
    }


def fig18(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Larger and larger parts of the data."""
    return {f"n = {n}": _fitted(scale, network(scale, samples=n, seed=seed)) for n in SIZES[scale]}


def _fitted(scale: Scale, problem: Problem) -> Experiment:
    """Gradient flow until 99 % of the samples are fitted."""
    tick, time = _TICKS[scale]
    flow = GradientFlow(method=GradientDescent(tick))
    return descent(problem, {"flow": flow}, round(time / tick), (Sharpness(),), _FITTED)
