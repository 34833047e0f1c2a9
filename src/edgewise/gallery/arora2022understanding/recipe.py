"""The methods on toys with exact answers, and on networks."""

from collections.abc import Mapping

from edgewise.gallery.arora2022understanding import network, toys
from edgewise.reproduction import Computation, Experiment, Scale

TIMES = {"normalized": 4.0, "sqrt_loss": 2.0}
"""τ = η²t up to which the limiting flows are followed."""

_READINGS, _PLACES = 50, 400
_STARTS, _STEPS = 20, 400
_SLIDES = {
    Scale.SMOKE: (0.04, 0.02, 0.01),
    Scale.LAPTOP: (0.04, 0.02, 0.01, 0.005),
    Scale.PAPER: (0.04, 0.02, 0.01, 0.005),
}
_DESCENTS = (0.08, 0.04, 0.02, 0.01, 0.005)

_NETWORKS = {
    Scale.SMOKE: {"data": "digits", "samples": 20, "width": 8},
    Scale.LAPTOP: {"data": "cifar10", "samples": 100, "width": 32},
    Scale.PAPER: {"data": "cifar10", "samples": 400, "width": 200},
}
# The step sizes are such that the sharpness falls to about half in so many steps.
_STEP_SIZES = {
    Scale.SMOKE: {"normalized": 0.02, "sqrt_loss": 0.008},
    Scale.LAPTOP: {"normalized": 0.01, "sqrt_loss": 0.001},
    Scale.PAPER: {"normalized": 0.01, "sqrt_loss": 0.001},
}
_NETWORK_STEPS, _NETWORK_READINGS = 1000, 10


def quadratic(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Normalised gradient descent on a quadratic from random starts."""
    return {"starts": Computation(toys.quadratic, {"starts": _STARTS, "steps": _STEPS, "seed": seed})}


def slides(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Both methods along the line of minimisers, at step sizes that halve."""
    return {
        f"{method} {lr:g}": Computation(
            toys.slide, {"method": method, "lr": lr, "time": TIMES[method], "readings": _READINGS}
        )
        for method in toys.METHODS
        for lr in _SLIDES[scale]
    }


def phases(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Both methods from far away, down to the line and along it, at step sizes that halve."""
    return {
        f"{method} {lr:g}": Computation(toys.descend, {"method": method, "lr": lr, "places": _PLACES})
        for method in toys.METHODS
        for lr in _DESCENTS
    }


def networks(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A network trained by gradient flow to a loss of almost zero, and from there both methods."""
    return {
        method: Computation(
            network.slide,
            {
                **_NETWORKS[scale],
                "method": method,
                "lr": _STEP_SIZES[scale][method],
                "steps": _NETWORK_STEPS,
                "readings": _NETWORK_READINGS,
                "seed": seed,
            },
        )
        for method in toys.METHODS
    }
