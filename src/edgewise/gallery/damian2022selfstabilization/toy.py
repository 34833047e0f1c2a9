"""The smallest loss that stabilises itself: L = ½(2/η + s y) x² − g y.

Along x its curvature is 2/η + s y. Gradient descent is x' = −(1 + ηsy) x and y' = y + η(g − ½sx²): in the
sharpness above the edge, S = sy, the reduced map with α = gs, β = s² and δ = √(2g/s), exactly.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.theory import SelfStabilization

Reals = NDArray[np.float64]

ALPHA, BETA = 0.1, 1.0
STEP_SIZES = (0.02, 0.01, 0.005, 0.0025)
# How many times smaller than δ the first oscillation is, as a logarithm.
DEPTH = 4.0


def cycles(step_size: float, count: int) -> xr.Dataset:
    """Gradient descent on the toy through so many whole cycles: x, the sharpness above 2/η, and the loss.

    A cycle goes from one upward crossing of the edge to the next.
    """
    s = BETA**0.5
    g = ALPHA / s
    theory = SelfStabilization(ALPHA, BETA)
    x, y = theory.delta * float(np.exp(-DEPTH)), 0.0
    xs, ys, crossings = [x], [y], [0]
    while len(crossings) <= count:
        x, y = advance(x, y, step_size, g, s)
        if ys[-1] < 0 <= y:
            crossings.append(len(ys))
        xs.append(x)
        ys.append(y)
    X, Y = np.array(xs[:-1]), np.array(ys[:-1])
    starts = crossings[:-1]
    return xr.Dataset(
        {
            "x": ("step", X),
            "y": ("step", s * Y),
            "loss": ("step", loss(X, Y, step_size, g, s)),
            "highest": ("cycle", np.array([s * Y[a:b].max() for a, b in zip(starts, crossings[1:], strict=True)])),
            "predicted": ("cycle", np.array([theory.largest_y(float(X[a]), float(s * Y[a])) for a in starts])),
            "conserved": ("cycle", np.array([theory.conserved(float(X[a]), float(s * Y[a])) for a in starts])),
            "period": ("cycle", np.diff(crossings)),
        },
        coords={"step": np.arange(len(X)), "cycle": np.arange(1, count + 1)},
        attrs={
            "step_size": step_size,
            "delta": theory.delta,
            "small_period": theory.small_cycle_period(step_size),
        },
    )


def resting(step_size: float, steps: int) -> xr.Dataset:
    """From |x| = δ at the edge: a cycle of two steps."""
    s = BETA**0.5
    x, y = SelfStabilization(ALPHA, BETA).delta, 0.0
    xs, ys = [x], [y]
    for _ in range(steps):
        x, y = advance(x, y, step_size, ALPHA / s, s)
        xs.append(x)
        ys.append(y)
    return xr.Dataset({"x": ("step", np.array(xs)), "y": ("step", s * np.array(ys))})


def advance(x: float, y: float, step_size: float, g: float, s: float) -> tuple[float, float]:
    """A step of gradient descent, in both numbers at once."""
    return x - step_size * (2 / step_size + s * y) * x, y - step_size * (0.5 * s * x * x - g)


def loss(x: Reals, y: Reals, step_size: float, g: float, s: float) -> Reals:
    """½(2/η + s y) x² − g y."""
    return np.asarray(0.5 * (2 / step_size + s * y) * x**2 - g * y)
