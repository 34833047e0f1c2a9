"""What is computed for each exhibit: see `toys` for the maps, `network` for the network."""

from collections.abc import Mapping

from edgewise.gallery.zhu2022understanding import network, toys
from edgewise.reproduction import Computation, Experiment, Scale

# The middle one of the three is that of the map of initialisations.
_THREE = (2 / 8, 2 / 10, 2 / 12)
_LR, _SMALL = 0.2, 0.01
_ODD = 25  # every so many steps, so that both ends of a cycle of two are seen

_RATES = (0.2, 0.1, 0.05, 0.02)
_AHEAD = tuple((a, 0.01) for a in (0.05, 0.1, 0.2))
_MATCHED = (0.1, 0.05, 0.02)

DECOUPLED = {
    "three factors": (6.0, 0.1, 0.4),
    "four factors": (6.0, 0.7, 0.3, 0.2),
    "seven factors": (2.0, 2.5, 3.0, 0.1, 0.2, 0.3, 0.4),
}


def three_step_sizes(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """From one start with three step sizes."""
    return {"paths": Computation(toys.trajectories, {"starts": ((2.5, 0.4001),), "lrs": _THREE, "steps": 1000})}


def gaps(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """To the end from three starts ahead of the edge, with smaller and smaller step sizes."""
    smoke = scale is Scale.SMOKE
    arguments = {
        "starts": _AHEAD,
        "lrs": _RATES if smoke else (*_RATES, _SMALL),
        "steps": 100_000 if smoke else 500_000,
    }
    return {"ends": Computation(toys.ends, arguments)}


def parabola(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """From starts with small, middling and large oscillations; and two steps from ever smaller (a, b)."""
    starts = tuple((a, b) for a in (0.05, 0.1, 0.15) for b in (0.001, 0.02, 0.2))
    return {
        "paths": Computation(
            toys.trajectories,
            {"starts": starts, "lrs": (_SMALL,), "steps": 30_000, "every": _ODD, "local": True},
        ),
        "two steps": Computation(
            toys.two_steps, {"a": 0.05, "b": 0.02, "lr": _SMALL, "shares": (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01)}
        ),
    }


def initialisations(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """From the centres of the cells of a square, until nothing moves."""
    points = 160 if scale is Scale.SMOKE else 512
    return {"grid": Computation(toys.grid, {"lr": _LR, "points": points, "upper": 4.0, "steps": 50_000})}


def bifurcation(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The map of b alone over its parameter, and a path through all of it."""
    return {
        "dying": Computation(
            toys.frozen, {"shifts": (-1.95, -0.05, 39), "start": 0.05, "steps": 5000, "kept": 64}
        ),
        "alternating": Computation(
            toys.frozen, {"shifts": (0.05, 0.95, 37), "start": 0.05, "steps": 5000, "kept": 64}
        ),
        "doubling": Computation(
            toys.frozen, {"shifts": (1.05, 1.95, 181), "start": 0.05, "steps": 5000, "kept": 64}
        ),
        "escaping": Computation(
            toys.frozen, {"shifts": (2.05, 3.0, 39), "start": 0.05, "steps": 5000, "kept": 64}
        ),
        "path": Computation(
            toys.trajectories, {"starts": ((12.5, 0.05),), "lrs": (_SMALL,), "steps": 150_000, "every": _ODD}
        ),
    }


def decoupled(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Products whose factors start apart."""
    return {
        name: Computation(toys.product, {"factors": factors, "lr": _LR, "steps": 5000})
        for name, factors in DECOUPLED.items()
    }


def degrees(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The product of two beside that of four, from the same (a, b)."""
    matched = {"starts": _AHEAD, "lrs": _MATCHED, "steps": 100_000, "every": 100_000, "local": True}
    near = {"starts": ((0.05, 0.01),), "lrs": _MATCHED, "local": True}
    return {
        "two": Computation(toys.trajectories, {**matched, "degree": 2}),
        "four": Computation(toys.trajectories, {**matched, "degree": 4}),
        "two, path": Computation(toys.trajectories, {**near, "steps": 2000, "degree": 2}),
        "four, path": Computation(toys.trajectories, {**near, "steps": 50_000, "every": _ODD, "degree": 4}),
        "one step": Computation(
            toys.trajectories,
            {"starts": ((3.2, 0.25),), "lrs": (2 / 10, 2 / 9.5, 2 / 9), "steps": 100, "degree": 2},
        ),
    }


def elu_network(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Fifty images at the step size of the paper; at smoke twenty digits."""
    if scale is Scale.SMOKE:
        digits = {"images": "digits", "classes": ("3", "8"), "samples": 20, "width": 32, "lr": 0.11, "every": 100}
        return {"path": Computation(network.network, {**digits, "steps": 8000, "stretch": (4000, 8000)})}
    images = {
        "images": "cifar10",
        "classes": ("cat", "dog"),
        "samples": 50,
        "width": 100,
        "lr": 0.01,
        "every": 250,
    }
    return {"path": Computation(network.network, {**images, "steps": 18_500, "stretch": (1500, 8000)})}
