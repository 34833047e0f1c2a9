"""What a quadratic says of a method, held against runs."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within
from edgewise.gallery.polyak1964some.recipe import FORMULAS, STEP_SIZE

_QUADRATIC = "cohen2021gradient, Section 2"
_MOMENTUM = "cohen2021gradient, Appendix B"
_POLYAK = "polyak1964some"

# What one looks for when telling growing from shrinking at the end of a run: a period of two, and slow rotations.
_LAST = 20


def _recursion(runs: Runs) -> float:
    """The largest |cₜ₊₁ − (1 − ηλ)cₜ| ÷ ‖cₜ‖."""
    c = runs["modes"]["coefficient"]
    factor = 1 - c["step_size"] * c["curvature"]
    now, then = c.isel(step=slice(None, -1)), c.isel(step=slice(1, None)).values
    residual = np.abs(then - (factor * now).transpose(*now.dims).values).max(-1)
    return float((residual / np.linalg.norm(now.values, axis=-1)).max())


def _change(runs: Runs) -> xr.DataArray:
    """|c| at the end ÷ |c| at the start."""
    c = abs(runs["modes"]["coefficient"])
    return c.isel(step=-1) / c.isel(step=0)


def _past(runs: Runs) -> xr.DataArray:
    """Whether λ > 2/η."""
    c = runs["modes"]["coefficient"]
    return c["curvature"] > 2 / c["step_size"]


def _mistaken(runs: Runs) -> float:
    """How many modes grow below 2/η or shrink above it."""
    return float(((_change(runs) > 1) != _past(runs)).sum())


def _slowest(runs: Runs) -> float:
    """What is left of the most persistent mode below 2/η."""
    return float(_change(runs).where(~_past(runs)).max())


def _dragged(runs: Runs) -> float:
    """The change of the most shrunken mode, where another one diverges."""
    change, past = _change(runs), _past(runs)
    return float(change.where(past.any("curvature")).min())


def _threshold(family: str) -> Measure:
    """The bisected threshold ÷ the formula, at the β where they lie farthest apart."""
    return lambda runs: _farthest(runs, family, FORMULAS[family])


def _rival(family: str, formula: Callable[[float], float]) -> Measure:
    return lambda runs: _farthest(runs, family, formula)


def _farthest(runs: Runs, family: str, formula: Callable[[float], float]) -> float:
    one = runs["thresholds"].sel(family=family)
    ratio = one["bisected"].values * STEP_SIZE / np.array([formula(float(beta)) for beta in one["beta"]])
    return float(max(ratio, key=lambda value: abs(value - 1)))


def _declared(runs: Runs) -> float:
    """The declared threshold ÷ the bisected one, where they lie farthest apart."""
    ratio = (runs["thresholds"]["declared"] / runs["thresholds"]["bisected"]).values.ravel()
    return float(max(ratio, key=lambda value: abs(value - 1)))


def _ends(runs: Runs, side: str) -> xr.DataArray:
    return runs["thresholds"]["distance"].sel(side=side).isel(step=slice(-_LAST, None)).max("step")


def _radius(runs: Runs) -> float:
    return float(np.abs(runs["growth"]["measured"] - runs["growth"]["radius"]).max())


def _power(kind: str) -> Measure:
    """The power of the condition number with which the steps grow."""

    def fitted(runs: Runs) -> float:
        steps = runs["steps"]["steps"].sel(kind=kind)
        return float(np.polyfit(np.log(steps["condition"].values), np.log(steps.values), 1)[0])

    return fitted


MODES = (
    Claim("every mode is multiplied by 1 − ηλ at each step", _QUADRATIC, _recursion, AtMost(1e-12)),
    Claim(
        "exactly the modes of a curvature above 2/η grow", _QUADRATIC, _mistaken, Within(0, of=0),
        counter=Claim("a diverging mode takes the others with it", _QUADRATIC, _dragged, AtLeast(1)),
    ),
    Claim("every mode below 2/η dies out, whatever the others do", _QUADRATIC, _slowest, AtMost(0.05)),
)  # fmt: skip

THRESHOLDS = (
    Claim(
        "Polyak's momentum loses stability at (2+2β)/η", _MOMENTUM, _threshold("Polyak"), Within(1e-9),
        counter=Claim(
            "it does so where gradient descent does", _MOMENTUM, _rival("Polyak", lambda _: 2.0), Within(1e-9)
        ),
    ),
    Claim(
        "Nesterov's momentum loses stability at (2+2β)/((1+2β)η)", _MOMENTUM, _threshold("Nesterov"), Within(1e-9),
        counter=Claim(
            "it does so where Polyak's does", _MOMENTUM, _rival("Nesterov", FORMULAS["Polyak"]), Within(1e-9)
        ),
    ),
    Claim(
        "averaged momentum loses stability at (2+2β)/((1−β)η)", _MOMENTUM, _threshold("averaged"), Within(1e-9),
        counter=Claim(
            "it does so where Polyak's does", _MOMENTUM, _rival("averaged", FORMULAS["Polyak"]), Within(1e-9)
        ),
    ),
    Claim("the methods declare the thresholds that bisection finds", _MOMENTUM, _declared, Within(1e-9)),
    Claim(
        "just below its threshold every method converges", _MOMENTUM,
        lambda runs: float(_ends(runs, "below").max()), AtMost(0.05),
    ),
    Claim(
        "just above its threshold every method diverges", _MOMENTUM,
        lambda runs: float(_ends(runs, "above").min()), AtLeast(20),
    ),
    # Where two roots meet, a rounding error ε moves them by √ε.
    Claim("runs grow and shrink with the spectral radius", _MOMENTUM, _radius, AtMost(1e-6)),
)  # fmt: skip

ACCELERATION = (
    Claim(
        "tuned momentum needs steps in proportion to the root of the condition number", _POLYAK,
        _power("Polyak"), Within(0.05, of=0.5),
        counter=Claim(
            "it needs them in proportion to the condition number", _POLYAK, _power("Polyak"), Within(0.05, of=1.0)
        ),
    ),
    Claim(
        "tuned gradient descent needs them in proportion to the condition number", _POLYAK,
        _power("gradient descent"), Within(0.05, of=1.0),
    ),
)  # fmt: skip
