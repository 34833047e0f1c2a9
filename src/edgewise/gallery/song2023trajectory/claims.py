"""All trajectories meet on one curve, follow it to the same end, and leave it where the fast map says."""

import numpy as np
import xarray as xr

from edgewise.claims import AtMost, Claim, Measure, Runs, Within, exponent, farthest, largest, of, only
from edgewise.foundation import EvidenceError
from edgewise.gallery.song2023trajectory.recipe import CURVATURE, STEP_SIZES

_TOY = "song2023trajectory, trajectory alignment of the toy l(xy)"
_FAST = "song2023trajectory, bifurcation diagram"

_SHOWN = f"{STEP_SIZES[0]:g}"
_MET = 30  # steps after which every start beyond the edge is on the curve
_SPLIT = 1e-6


def _beyond(run: xr.Dataset, *, edge: bool = True) -> xr.Dataset:
    """The starts with more than the critical curvature, or the others."""
    return run.sel(start=(run["start"] > 1) == edge)


def _astray(*, edge: bool) -> Measure:
    """The largest |q/r(p) − 1| from step `_MET` to the end."""

    def measure(runs: Runs) -> float:
        aligned = _beyond(only(runs), edge=edge)["aligned"]
        return float(np.abs(aligned.sel(step=aligned["step"] >= _MET) - 1).max())

    return measure


def _spread(runs: Runs) -> float:
    ends = _beyond(only(runs))["sharpness"]
    return float(ends.max() - ends.min())


def _start_spread(runs: Runs) -> float:
    """By how much the largest and the smallest q at the start differ: they shall not be the same one."""
    return float(np.ptp(_beyond(only(runs))["q"].isel(step=0)))


def _gap(runs: Runs) -> float:
    """(2/η − sharpness at the end)/η."""
    run = only(runs)
    eta = float(run.attrs["step_size"])
    return float((2 / eta - _beyond(run)["sharpness"].mean()) / eta)


def _step_size(runs: Runs) -> float:
    return float(only(runs).attrs["step_size"])


ALIGNMENT = (
    Claim(
        "beyond the edge every trajectory comes to the curve q = r(p) and stays on it",
        _TOY,
        of(_SHOWN, _astray(edge=True)),
        AtMost(0.02),
        counter=Claim(
            "a trajectory below the edge does so too", _TOY, of(_SHOWN, _astray(edge=False)), AtMost(0.02)
        ),
    ),
    Claim(
        "the distance from the curve shrinks with the square of the step size",
        _TOY,
        exponent(_astray(edge=True), _step_size),
        Within(0.1, of=2.0),
    ),
    Claim("all of them have the same end", _TOY, largest(_spread), AtMost(1e-6)),
    Claim(
        "the final sharpness is η/|r''(0)| below the critical curvature",
        _TOY,
        farthest(_gap, of=1 / CURVATURE),
        Within(0.01, of=1 / CURVATURE, relative=True),
        counter=Claim("the final sharpness is the critical curvature", _TOY, largest(_gap), Within(0.01, of=0.0)),
    ),
)


def _asymmetry(run: xr.Dataset) -> xr.DataArray:
    """How far two consecutive iterates are from being each other's negative, by q."""
    p = run["p"]
    return abs(p.isel(step=-1) + p.isel(step=-2))


def _off_cycle(runs: Runs) -> float:
    """The largest distance of |p| from the root of r(p) = q, over all q."""
    run = only(runs)
    return float(np.abs(np.abs(run["p"]) - run["cycle"]).max())


def _split(runs: Runs) -> float:
    """The largest q at which the cycle is not symmetric."""
    asymmetry = _asymmetry(only(runs))
    split = asymmetry["q"].where(asymmetry > _SPLIT)
    if not bool(split.notnull().any()):
        raise EvidenceError("the splitting of the cycle", "it is symmetric at every q", "Let q be smaller")
    return float(split.max())


def _speed_error(runs: Runs) -> float:
    """The largest difference of the measured speed and |1 + 2p r'(p)/r(p)|, over all q.

    p r'/r is 2p/sinh(2p) − 1 for log cosh.
    """
    run = only(runs)
    p = run["cycle"]
    return float(np.abs(run["speed"] - np.abs(1 + 2 * (2 * p / np.sinh(2 * p) - 1))).max())


FAST_MAP = (
    Claim(
        "at a frozen q the fast map of log cosh settles on ±p with r(p) = q, for every q",
        _FAST,
        of("log cosh p", _off_cycle),
        AtMost(1e-6),
        counter=Claim(
            "so does that of an l which is not convex", _FAST, of("1 − exp(−p²/2)", _off_cycle), AtMost(1e-6)
        ),
    ),
    Claim(
        "next to the cycle a step multiplies the distance by 1 + 2p r'/r",
        _FAST,
        of("log cosh p", _speed_error),
        AtMost(1e-4),
    ),
    Claim(
        "the branch splits where p r'/r passes −1",
        _FAST,
        of("1 − exp(−p²/2)", _split),
        Within(0.01, of=float(np.exp(-0.5))),
    ),
)
