"""Gradient descent with a range of step sizes, and with momentum, each until it has stayed at its edge."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from edgewise.dynamics import Distance, DistanceFromStart, Process, Sharpness
from edgewise.flows import RK4, GradientFlow
from edgewise.gallery.cohen2021gradient.recipe.network import descent, network
from edgewise.methods import AnyMethod, Drop, GradientDescent, HeavyBall, Nesterov
from edgewise.reproduction import Experiment, Scale

FLOW = "gradient flow"
WHOLE, HALF, CHEBYSHEV = "RK4", "RK4, half the step", "RKC3"
BETA = 0.9


@final
@dataclass(frozen=True, slots=True)
class Range:
    """A range of step sizes, all for one time.

    Attributes:
        critical: the critical curvatures 2/η.
        time: how long to descend.
        tick: the time between readings of the gradient flow.
    """

    critical: tuple[int, ...]
    time: float
    tick: float


RANGES = {
    ("mse", Scale.SMOKE): Range((26, 32, 40), 70.0, 1.0),
    ("mse", Scale.LAPTOP): Range((110, 140, 170), 22.0, 0.5),
    ("mse", Scale.PAPER): Range((30, 60, 90, 120, 150), 200.0, 1.0),
    ("ce", Scale.SMOKE): Range((36, 44), 90.0, 1.0),
    ("ce", Scale.LAPTOP): Range((20, 35, 50), 40.0, 0.5),
    ("ce", Scale.PAPER): Range((20, 40, 60, 80), 200.0, 1.0),
}
# Odd, so that both sides of a period-two oscillation are read.
EVERY = 7


def fig5(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent with several step sizes, and gradient flow, on the squared error and the cross-entropy."""
    runs: dict[str, Experiment] = {}
    for loss in ("mse", "ce"):
        asked = RANGES[loss, scale]
        for critical in asked.critical:
            runs[f"{loss} η = 2/{critical}"] = at_edge(scale, GradientDescent(2 / critical), asked.time, loss)
        runs[f"{loss} {FLOW}"] = descent(
            network(scale, loss=loss),
            {FLOW: GradientFlow(method=GradientDescent(asked.tick))},
            round(asked.time / asked.tick),
            (Sharpness(),),
        )
    return runs


MOMENTUM = {Scale.SMOKE: ((30, 40), 500.0), Scale.LAPTOP: ((110, 140), 120.0), Scale.PAPER: ((60, 120), 600.0)}


def momentum(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Polyak's and Nesterov's momentum, at step sizes that put their thresholds where gradient descent's were."""
    criticals, time = MOMENTUM[scale]
    # Momentum fits fewer digits so soon that nothing is left that would hold it at its edge.
    samples = 100 if scale is Scale.SMOKE else None
    runs: dict[str, Experiment] = {}
    for critical in criticals:
        polyak, nesterov = (2 + 2 * BETA) / critical, (2 + 2 * BETA) / ((1 + 2 * BETA) * critical)
        for name, method in (("Polyak", HeavyBall(polyak, BETA)), ("Nesterov", Nesterov(nesterov, BETA))):
            # A step of momentum moves 1/(1 − β) times as far as one of gradient descent.
            runs[f"{name}, edge at {critical}"] = at_edge(scale, method, time * (1 - BETA), samples=samples)
    return runs


def at_edge(
    scale: Scale, method: AnyMethod, time: float, loss: str = "mse", samples: int | None = None
) -> Experiment:
    """A method with a constant step size on the network, for so long a time."""
    assert isinstance(method.lr, float)
    problem = network(scale, loss=loss, samples=samples)
    return descent(problem, {"gd": method}, round(time / method.lr), (Sharpness(every=EVERY),))


# 2/η before and after, the step of the cut, and the last one.
_CUTS = {
    Scale.SMOKE: (26, 40, 700, 2000),
    Scale.LAPTOP: (110, 150, 500, 1500),
    Scale.PAPER: (200, 300, 6000, 12_000),
}


def fig7(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A step size that is cut once the sharpness has settled."""
    before, after, cut, steps = _CUTS[scale]
    drop = Drop(2 / before, 2 / after, step=cut)
    return {"cut": descent(network(scale), {"gd": GradientDescent(drop)}, steps, (Sharpness(every=EVERY),))}


# 2/η and the steps, which go half as far again as the crossing.
_APART = {
    Scale.SMOKE: {"tanh": (26, 750), "relu": (18, 520)},
    Scale.LAPTOP: {"tanh": (110, 700), "relu": (110, 1000)},
    Scale.PAPER: {"tanh": (200, 8000), "relu": (200, 8000)},
}


def flow_distance(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent beside gradient flow, by the paper's integrator, in the same time."""
    probes = (Sharpness(every=EVERY), Distance("gd", FLOW), DistanceFromStart())
    runs = {}
    for activation, (critical, steps) in _APART[scale].items():
        beside: dict[str, Process] = {
            "gd": GradientDescent(2 / critical),
            FLOW: GradientFlow(integrator=RK4()),
        }
        runs[activation] = descent(network(scale, activation=activation), beside, steps, probes)
    return runs


_TICKS = {Scale.SMOKE: (0.5, 30), Scale.LAPTOP: (0.1, 50), Scale.PAPER: (1.0, 100)}


def rk4(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient flow by the paper's integrator, by the same with half the step, and by a Chebyshev method."""
    tick, ticks = _TICKS[scale]
    gd = GradientDescent(tick)
    flows = {
        HALF: GradientFlow(integrator=RK4(0.5), method=gd),
        WHOLE: GradientFlow(integrator=RK4(1.0), method=gd),
        CHEBYSHEV: GradientFlow(method=gd, rtol=1e-5),
    }
    probes = (Distance(HALF, WHOLE), Distance(HALF, CHEBYSHEV), Sharpness(every=4))
    return {"flows": descent(network(scale), flows, ticks, probes)}
