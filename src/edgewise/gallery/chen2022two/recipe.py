"""Gradient descent just beyond 2/f″: in one dimension, and on (xy − μ)²/2.

A function with the derivatives f″ = 1, f‴ = c, f⁗ = d at its minimum is x²/2 + cx³/6 + dx⁴/24 there. A cycle of
two, m ± δ, has m = −cδ²/2 + … and δ² = 6 (1 − 2/η)/(3c² − d) + …: there is one beyond the edge if 3c² > d.

On (xy − μ)²/2 with x = y, and on (x² − μ)²/4 alike, it is known in closed form, with K = ημ:
x = (√((K + 3)/η) ± √((K − 1)/η))/2.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.reproduction import Computation, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

_BEYOND = 1.001  # η f″/2
_TARGET = 2.0  # μ
_QUASI_SYMMETRIC = (1.05, 0.9, 0.8)  # y/x at the start
_KEPT = 8


def criterion(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Over a grid of third and fourth derivatives."""
    points = 24 if scale is Scale.SMOKE else 80
    return {"grid": Computation(derivatives, {"beyond": _BEYOND, "points": points, "steps": 20_000})}


def cycles(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Over K, in one dimension and in two, and the way of one pair into its cycle."""
    count = 101 if scale is Scale.SMOKE else 401
    return {
        "one": Computation(wells, {"products": (1.0, 1.4, count), "steps": 50_000}),
        "two": Computation(pairs, {"products": (1.05, 1.1, 1.2), "ratios": _QUASI_SYMMETRIC, "steps": 5000}),
        "beyond": Computation(pairs, {"products": (1.3,), "ratios": _QUASI_SYMMETRIC, "steps": 5000}),
    }


def derivatives(beyond: float, points: int, steps: int) -> xr.Dataset:
    """The last states on x²/2 + cx³/6 + dx⁴/24 from next to 0, for every c and d.

    Args:
        beyond: the step size ÷ 2.
        points: of the grid, along c and along d; symmetric about 0, without it.
        steps: how many.
    """
    lr = 2 * beyond
    c, d = np.meshgrid(_centres(1.5, points), _centres(6.0, points))

    def step(x: Reals, c: Reals, d: Reals) -> tuple[Reals, Reals, Reals]:
        return x - lr * (x + c * x * x / 2 + d * x * x * x / 6), c, d

    state = iterate(step, (1e-3, c, d), steps)
    x, _, _ = iterate(step, state, _KEPT - 1, every=1)
    return xr.Dataset(
        {"x": (("step", "d", "c"), x)},
        coords={"c": c[0], "d": d[:, 0], "lr": lr, "step": np.arange(_KEPT)},
    )


def wells(products: tuple[float, float, int], steps: int) -> xr.Dataset:
    """The last states on (x² − μ)²/4, for K = ημ from, to, and how many."""
    k = np.linspace(products[0], products[1], products[2])[1:]
    state = iterate(well_step, (1.1 * np.sqrt(_TARGET), k / _TARGET), steps)
    x, _ = iterate(well_step, state, 63, every=1)
    return xr.Dataset({"x": (("step", "k"), x)}, coords={"k": k, "lr": ("k", k / _TARGET), "step": np.arange(64)})


def pairs(products: tuple[float, ...], ratios: tuple[float, ...], steps: int) -> xr.Dataset:
    """Paths on (xy − μ)²/2 from pairs with a product near μ, for every K = ημ and y/x."""
    k, ratio = np.meshgrid(np.array(products), np.array(ratios))
    x = 1.05 * np.sqrt(_TARGET / ratio)
    x, y, _ = iterate(pair_step, (x, x * ratio, k / _TARGET), steps, every=1)
    dims = ("step", "ratio", "k")
    return xr.Dataset(
        {"x": (dims, x), "y": (dims, y)},
        coords={
            "k": k[0],
            "lr": ("k", k[0] / _TARGET),
            "ratio": ratio[:, 0],
            "target": _TARGET,
            "step": np.arange(steps + 1),
        },
    )


def well_step(x: Reals, lr: Reals) -> tuple[Reals, Reals]:
    """A step of gradient descent on (x² − μ)²/4."""
    return x - lr * x * (x * x - _TARGET), lr


def pair_step(x: Reals, y: Reals, lr: Reals) -> tuple[Reals, Reals, Reals]:
    """A step of gradient descent on (xy − μ)²/2."""
    e = lr * (x * y - _TARGET)
    return x - e * y, y - e * x, lr


def _centres(reach: float, points: int) -> Reals:
    """The centres of equal cells from −reach to reach."""
    return (np.arange(points) + 0.5) * 2 * reach / points - reach
