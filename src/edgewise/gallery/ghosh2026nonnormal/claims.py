"""Momentum grows before it decays, by what the Kreiss constant says; κ(V) says something else."""

import math

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within

_KEY = "ghosh2026nonnormal"
_BOUND = f"{_KEY}, pseudospectral bound"
_POINTS = f"{_KEY}, exceptional points"
_NUMERICS = f"{_KEY}, numerical experiments"
_KREISS = "kreiss1962stabilitatsdefinition, matrix theorem"
# Of a 2 × 2 matrix.
_SIZE = 2
# Relative distances from an exceptional point at which rounding does not yet show, and where it is far.
_NEAR, _FAR = (1e-5, 0.02), 0.1
_MILLION = 1e6


def _stable(run: xr.Dataset) -> xr.Dataset:
    return run.isel(mode=np.flatnonzero(np.isfinite(run["growth"].values)))


def _below(runs: Runs) -> float:
    """The largest Kreiss constant ÷ growth among stable modes."""
    run = _stable(runs["mode"])
    return float((run["kreiss_constant"] / run["growth"]).max())


def _above(runs: Runs) -> float:
    """The largest growth ÷ (e n × Kreiss constant) among stable modes."""
    run = _stable(runs["mode"])
    return float((run["growth"] / (math.e * _SIZE * run["kreiss_constant"])).max())


def _within_condition(runs: Runs) -> float:
    """The largest growth ÷ κ(V) among stable modes."""
    run = _stable(runs["mode"])
    return float((run["growth"] / run["eigenvector_condition"]).max())


def _growth(runs: Runs) -> float:
    """The largest growth of a mode whose spectral radius is well below one."""
    run = _stable(runs["mode"])
    return float(run["growth"].max())


def _at_point(name: str) -> Measure:
    """The largest value at the first exceptional point ÷ that a tenth beside it."""

    def measure(runs: Runs) -> float:
        run = _stable(runs["mode"])
        run = run.isel(mode=np.flatnonzero(run["mode"].values < 1))
        order = np.argsort(run["distance"].values)
        far = int(np.argmin(np.abs(run["distance"].values - _FAR)))
        return float(run[name][order[0]] / run[name][far])

    return measure


def _blow_up(runs: Runs) -> float:
    """How far κ(V) rises towards the first exceptional point, in units of a million and at most one.

    Beyond that it is what rounding leaves of infinity, and no number to compare.
    """
    return min(1.0, _at_point("eigenvector_condition")(runs) / _MILLION)


def _exponent(runs: Runs) -> float:
    """The power of the distance from the first exceptional point in κ(V)."""
    run = _stable(runs["mode"])
    distance = run["distance"].values
    near = (run["mode"].values < 1) & (distance > _NEAR[0]) & (distance < _NEAR[1])
    return float(np.polyfit(np.log(distance[near]), np.log(run["eigenvector_condition"].values[near]), 1)[0])


def _unstable_over_stable(name: str) -> Measure:
    """The median under the unstable step size ÷ that under the stable one."""
    return lambda runs: float(runs["unstable"][name].median() / runs["stable"][name].median())


def _commutes(runs: Runs) -> float:
    """The least relative size of the commutator of Hessian and preconditioner."""
    return min(float(run["commutator"].min()) for run in runs.values())


MOMENTUM = (
    Claim("a stable mode under momentum grows tenfold before it decays", _BOUND, _growth, AtLeast(10.0)),
    Claim("no mode grows less than its Kreiss constant", _KREISS, _below, AtMost(1 + 1e-6)),
    Claim("no mode grows more than the theorem allows", _KREISS, _above, AtMost(1.0)),
    Claim("no mode grows more than the condition of its eigenvectors", _BOUND, _within_condition, AtMost(1.0)),
    Claim(
        "where two roots meet the eigenvectors' condition is infinite", _POINTS,
        _blow_up, AtLeast(1.0),
    ),
    Claim("nothing happens there to the growth", _POINTS, _at_point("growth"), Within(0.05)),
    Claim("nor to the Kreiss constant", _POINTS, _at_point("kreiss_constant"), Within(0.05)),
    Claim(
        "towards it the condition grows as the inverse root of the distance", _POINTS, _exponent,
        Within(0.01, of=-0.5),
    ),
)  # fmt: skip

ADAM = (
    Claim("Hessian and preconditioner of Adam do not commute", f"{_KEY}, abstract", _commutes, AtLeast(0.01)),
    Claim(
        "the condition of the eigenvectors is ten times as large in the unstable phase",
        _NUMERICS,
        _unstable_over_stable("eigenvector_condition"),
        AtLeast(10.0),
    ),
    Claim(
        "the spectral radius is about the same in both phases",
        _NUMERICS,
        _unstable_over_stable("spectral_radius"),
        Within(0.1),
    ),
)
