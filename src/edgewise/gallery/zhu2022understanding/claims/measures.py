"""What several exhibits measure: what is left of 2/η at the end."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import Between, Runs

KEY = "zhu2022understanding"

THEOREM = Between(0.0, 20 / 3)
"""The theorem: the sharpness ends in (2/η − (20/3) η, 2/η)."""

Reals = NDArray[np.float64]


def one(runs: Runs) -> xr.Dataset:
    """The only record."""
    (run,) = runs.values()
    return run


def gap(run: xr.Dataset) -> xr.DataArray:
    """(2/η − sharpness)/η at the end."""
    return ((2 / run["lr"] - run["sharpness"]) / run["lr"]).isel(step=-1)


def farthest(values: xr.DataArray | Reals, middle: float) -> float:
    """The value that lies farthest from the middle."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(flat[np.argmax(np.abs(flat - middle))])


def farthest_gap(runs: Runs) -> float:
    """Of all ends, the one farthest from the middle of what the theorem allows."""
    return farthest(np.concatenate([np.ravel(gap(run)) for run in runs.values()]), 10 / 3)
