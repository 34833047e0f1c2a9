"""Beyond the edge there is a cycle of two where 3f‴² > f″f⁗, and descent on a product becomes balanced in it."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import AtLeast, AtMost, Claim, Runs, Within, of
from edgewise.foundation import EvidenceError

_KEY = "chen2022two"
_ONE = f"{_KEY}, one dimension"
_TWO = f"{_KEY}, (xy − μ)²/2"

# A cell of the grid counts where the criterion is at least this far from its border: closer to it, the cycle is so
# large that the terms left out decide.
_CLEAR = 1.0
_NEAR = 0.5
_RETURNS = 1e-6

Reals = NDArray[np.float64]


def _run(runs: Runs) -> xr.Dataset:
    (run,) = runs.values()
    return run


def _criterion(run: xr.Dataset) -> Reals:
    """3f‴² − f″f⁗ over the grid, rows d and columns c."""
    return np.asarray(3 * run["c"].values[None] ** 2 - run["d"].values[:, None])


def _returns(x: Reals) -> NDArray[np.bool_]:
    """Whether the last states are a cycle of two about 0, and near it."""
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (np.abs(x[-1] - x[-3]) < _RETURNS) & (np.abs(x[-1] - x[-2]) > 1e-3) & (np.abs(x).max(0) < _NEAR)
        )


def _agreement(runs: Runs) -> float:
    """The share of clear cells in which there is a cycle of two exactly if the criterion says so."""
    run = _run(runs)
    value = _criterion(run)
    clear = np.abs(value) > _CLEAR
    if not ((value > _CLEAR).any() and (value < -_CLEAR).any()):
        raise EvidenceError("the grid", "it lies on one side of the criterion", "Let it reach further")
    return float((_returns(run["x"].values) == (value > 0))[clear].mean())


def _share_of_cycles(runs: Runs) -> float:
    run = _run(runs)
    return float(_returns(run["x"].values)[np.abs(_criterion(run)) > _CLEAR].mean())


def _amplitude(runs: Runs) -> float:
    """The median over clear cells of half the width of the cycle ÷ √(6 (1 − 2/η)/(3c² − d))."""
    run = _run(runs)
    value, x = _criterion(run), run["x"].values
    found = _returns(x) & (value > _CLEAR)
    if not found.any():
        raise EvidenceError("the width of the cycles", "there is none", "Let the grid reach further")
    width = np.abs(x[-1] - x[-2])[found] / 2
    return float(np.median(width / np.sqrt(6 * (1 - 2 / float(run["lr"])) / value[found])))


CRITERION = (
    Claim(
        "just beyond the edge descent settles in a cycle of two where 3f‴² exceeds f″f⁗, and nowhere else",
        _ONE,
        of("grid", _agreement),
        AtLeast(1.0),
        counter=Claim("it does so everywhere", _ONE, of("grid", _share_of_cycles), AtLeast(1.0)),
    ),
    Claim("its width is that of the leading order", _ONE, of("grid", _amplitude), Within(0.02)),
)


def orbit(lr: Reals, target: float) -> tuple[Reals, Reals]:
    """The cycle of two in closed form, the upper point first; NaN below the edge."""
    k = lr * target
    with np.errstate(invalid="ignore"):
        outer, inner = np.sqrt((k + 3) / lr), np.sqrt((k - 1) / lr)
    return (outer + inner) / 2, (outer - inner) / 2


def _off_orbit(runs: Runs) -> float:
    """The largest distance of the last two states, in size, from the closed form."""
    run = _run(runs)
    upper, lower = orbit(run["lr"].values, float(run["target"]))
    last = np.abs(run["x"].isel(step=[-2, -1]).transpose("step", "ratio", "k").values)
    return float(max(np.abs(last.max(0) - upper).max(), np.abs(last.min(0) - lower).max()))


def _product(runs: Runs) -> float:
    """The product of both points × η; the farthest from 1."""
    run = _run(runs)
    x = run["x"].transpose("step", "ratio", "k").values
    values = (x[-1] * x[-2] * run["lr"].values).ravel()
    return float(values[np.argmax(np.abs(values - 1))])


def _imbalance(runs: Runs) -> float:
    run = _run(runs)
    return float(np.abs((run["x"] - run["y"]).isel(step=-1).values).max())


def _kept_imbalance(runs: Runs) -> float:
    """x² − y² at the end ÷ at the start, where most of it is left."""
    run = _run(runs)
    squares = (run["x"] ** 2 - run["y"] ** 2).transpose("step", "ratio", "k").values
    return float(np.abs(squares[-1] / squares[0]).max())


def _off_rate(runs: Runs) -> float:
    """What two steps multiply x − y by in the cycle, while they are apart: its largest difference from 3 − 2K."""
    run = _run(runs)
    apart = (run["x"] - run["y"]).transpose("ratio", "k", "step").values
    upper, lower = orbit(run["lr"].values, float(run["target"]))
    x = np.abs(run["x"].transpose("ratio", "k", "step").values)
    there = np.minimum(np.abs(x - upper[:, None]), np.abs(x - lower[:, None])) < 1e-8
    counts = there[..., :-2] & (np.abs(apart[..., :-2]) > 1e-9)
    if not counts.any((0, 2)).all():
        raise EvidenceError("the rate of x − y", "it is over before the cycle is reached", "Start less balanced")
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = apart[..., 2:] / apart[..., :-2] - (3 - 2 * run["k"].values[:, None])
    return float(np.abs(rate[counts]).max())


def _last_stable(runs: Runs) -> float:
    """The largest K from which on downwards every path ends in the closed form."""
    run = _run(runs)
    x = np.abs(run["x"].transpose("step", "k").values)
    upper, lower = orbit(run["lr"].values, float(run["k"][0] / run["lr"][0]))
    ends = (np.abs(x[-2:].max(0) - upper) < _RETURNS) & (np.abs(x[-2:].min(0) - lower) < _RETURNS)
    if not ends[0] or ends.all():
        raise EvidenceError("the end of the cycles of two", "it is not in the scan", "Scan more of K")
    return float(run["k"].values[np.argmin(ends) - 1])


def _returning(runs: Runs) -> float:
    """How far two steps lead away, ÷ one step; the least over all paths, medians over the last quarter."""
    run = _run(runs)
    x = run["x"].transpose("step", "ratio", "k").values
    x = x[3 * len(x) // 4 :]
    return float((np.median(np.abs(x[2:] - x[:-2]), 0) / np.median(np.abs(np.diff(x, axis=0)), 0)).min())


CYCLES = (
    Claim(
        "descent from quasi-symmetric pairs ends in the cycle of two of the closed form",
        _TWO,
        of("two", _off_orbit),
        AtMost(1e-10),
    ),
    Claim("the product of its points is 1/η", _TWO, of("two", _product), Within(1e-10)),
    Claim(
        "the pairs become balanced in it",
        _TWO,
        of("two", _imbalance),
        AtMost(1e-10),
        counter=Claim("they keep x² − y², as under gradient flow", _TWO, of("two", _kept_imbalance), AtLeast(0.5)),
    ),
    Claim("two steps multiply x − y by 3 − 2K there", _TWO, of("two", _off_rate), AtMost(1e-6)),
    Claim("the cycle is stable up to K = √5 − 1", _ONE, of("one", _last_stable), Within(0.005, of=5**0.5 - 1)),
    Claim("well beyond that it is none", _TWO, of("beyond", _returning), AtLeast(0.01)),
)
