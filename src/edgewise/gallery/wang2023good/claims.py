"""Large steps converge, catapult, balance and end at the edge where l grows slowly, and fail elsewhere."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, among, largest, of, only, smallest
from edgewise.foundation import EvidenceError

_SOURCE = "wang2023good, good and bad regularity"
_SMALL, _LARGE, _LARGEST, _BEYOND = 1.5, 3.0, 4.0, 2.0

LINEAR = ("log cosh s", "√(1 + s²)")
"""Losses that grow like |s|."""

QUADRATIC = "s²/2"
FAST = ("s²/2 + s⁴/4", "cosh s")


def _any_of(names: Sequence[str]) -> Callable[[str], bool]:
    return lambda name: name in names


def _reduced(
    name: str, chosen: Callable[[xr.DataArray], xr.DataArray], reduce: Callable[[xr.DataArray], xr.DataArray]
) -> Measure:
    """A number of a result at the chosen multiples, over the starts that converged."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        values = run[name].sel(multiple=chosen(run["multiple"]))
        if not bool(values.notnull().any()):
            raise EvidenceError(
                f"{name} of what converges", "nothing does at these step sizes", "Let the recipe take smaller ones"
            )
        return float(reduce(values))

    return measure


def _between(multiple: xr.DataArray) -> xr.DataArray:
    return (multiple > _BEYOND) & (multiple <= _LARGEST)


def _at(value: float) -> Callable[[xr.DataArray], xr.DataArray]:
    return lambda multiple: multiple == value


_share = _reduced("converged", _between, lambda share: share.mean("start").min())
_balance = largest(_reduced("imbalance", _at(_LARGEST), lambda left: left.max()))
_rise = smallest(_reduced("rise", _at(_LARGE), lambda rise: rise.median()))


def _gap(runs: Runs) -> float:
    """(2/η − final sharpness)/η, the largest over starts and step sizes between 2/S₀ and 4/S₀."""
    run = only(runs)
    run = run.sel(multiple=_between(run["multiple"]))
    return float((2 / run["step_size"] * (1 - run["edge_ratio"]) / run["step_size"]).max())


def _limit(runs: Runs) -> float:
    """The largest multiple at which every start converges."""
    share = only(runs)["converged"].mean("start")
    return float(np.max(share["multiple"].values[share.values == 1.0], initial=0.0))


def _unbalanced(runs: Runs) -> float:
    """The least imbalance that is left beyond 2/S₀, of all losses that grow fast, where any start converges."""
    left = [run["imbalance"].sel(multiple=run["multiple"] > _BEYOND) for name, run in runs.items() if name in FAST]
    values = np.concatenate([part.values.ravel() for part in left])
    if not np.isfinite(values).any():
        raise EvidenceError("the imbalance of what converges", "nothing does", "Let the recipe take smaller steps")
    return float(np.nanmin(values))


_SLOW = (*LINEAR, QUADRATIC)

REGULARITY = (
    Claim(
        "if l grows like |s|, every start converges with step sizes up to 4/S₀",
        _SOURCE,
        among(_any_of(LINEAR), smallest(_share)),
        AtLeast(1.0),
        counter=Claim(
            "so it does if l grows faster than s²", _SOURCE, among(_any_of(FAST), smallest(_share)), AtLeast(1.0)
        ),
    ),
    Claim(
        "it then ends at the edge of stability, within a few η of 2/η",
        _SOURCE,
        among(_any_of(LINEAR), largest(_gap)),
        AtMost(2.0),
        counter=Claim("so it does if l grows like s²", _SOURCE, of(QUADRATIC, _gap), AtMost(2.0)),
    ),
    Claim(
        "if l grows like s², the largest step size that converges is 4/S₀",
        _SOURCE,
        of(QUADRATIC, _limit),
        Within(0.05, of=4.0, relative=True),
    ),
    Claim(
        "a step size of 4/S₀ balances: no more than half of the imbalance is left if l grows like s² or slower",
        _SOURCE,
        among(_any_of(_SLOW), _balance),
        AtMost(0.5),
        counter=Claim(
            "so does a step size of 1.5/S₀",
            _SOURCE,
            among(_any_of(_SLOW), smallest(_reduced("imbalance", _at(_SMALL), lambda left: left.min()))),
            AtMost(0.5),
        ),
    ),
    Claim(
        "a step size of 3/S₀ catapults: the loss rises at least tenfold, and then falls to zero",
        _SOURCE,
        among(_any_of(_SLOW), _rise),
        AtLeast(10.0),
        counter=Claim(
            "so does a step size of 1.5/S₀",
            _SOURCE,
            among(_any_of(_SLOW), largest(_reduced("rise", _at(_SMALL), lambda rise: rise.max()))),
            AtLeast(10.0),
        ),
    ),
    Claim(
        "if l grows faster than s², no start converges with a step size of 3/S₀",
        _SOURCE,
        among(_any_of(FAST), largest(_reduced("converged", _at(_LARGE), lambda share: share.mean()))),
        AtMost(0.0),
    ),
    Claim("what converges there beyond 2/S₀ has not balanced", _SOURCE, _unbalanced, AtLeast(0.99)),
)
