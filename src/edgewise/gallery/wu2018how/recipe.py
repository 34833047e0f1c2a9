"""Two samples, one number: f₁ = min(x², (x−1)²/10) and f₂ = min(x², 1.9 (x−1)²).

Both minima of the mean loss, 0 and 1, have the curvature 2, far below 2/η. But at 1 the curvatures of the samples
are 0.2 and 3.8, and at 0 both are 2: there is no noise there.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

STEP_SIZE, START = 0.7, 1 - 1e-5
_CURVATURES = (0.1, 1.9)
_PATHS = 200
_STEPS = {Scale.SMOKE: 400, Scale.LAPTOP: 2000, Scale.PAPER: 2000}


def escape(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """From next to the minimum at 1, by gradient descent and by many paths of SGD with batches of one."""
    return {"paths": Computation(paths, {"steps": _STEPS[scale], "seed": seed})}


def paths(steps: int, seed: int) -> xr.Dataset:
    """Positions and mean losses along gradient descent and along `_PATHS` paths of SGD."""
    rng = np.random.default_rng(derive_seed(seed, "wu2018how"))
    x = np.full(_PATHS, START)
    gd = np.array([START])
    stochastic, full = [x], [gd]
    for _ in range(steps):
        x = x - STEP_SIZE * _slope(x, rng.choice(_CURVATURES, _PATHS))
        gd = gd - STEP_SIZE * sum(_slope(gd, c) for c in _CURVATURES) / 2
        stochastic.append(x)
        full.append(gd)
    sgd, gd = np.stack(stochastic), np.concatenate(full)
    return xr.Dataset(
        {"sgd": (("step", "path"), sgd), "sgd_loss": (("step", "path"), loss(sgd)), "gd": ("step", gd)},
        coords={"step": np.arange(steps + 1)},
    )


def loss(x: Reals) -> Reals:
    """The mean of the two samples' losses."""
    return np.asarray(sum(np.minimum(x**2, c * (x - 1) ** 2) for c in _CURVATURES) / 2)


def _slope(x: Reals, c: float | Reals) -> Reals:
    """The derivative of min(x², c (x − 1)²)."""
    return np.where(x**2 < c * (x - 1) ** 2, 2 * x, 2 * c * (x - 1))
