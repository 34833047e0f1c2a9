"""What becomes of it with factors that start apart, with two instead of four, and with a network."""

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Between, Claim, Measure, Runs, Within, exponent, of, order
from edgewise.gallery.zhu2022understanding.claims.measures import KEY, THEOREM, farthest, farthest_gap, gap, one

# Decoupled factors


def _flow_decoupled(runs: Runs) -> float:
    """How far the sharpness ends from where gradient flow would, relative, where it is nearest to it."""
    return min(abs(float(run["sharpness"][-1] / run["flow"]) - 1) for run in runs.values())


def _synchronised(runs: Runs) -> float:
    """How far apart the factors are, relative, that started below one: at the end ÷ at the start."""
    return max(_apart(run, -1) / _apart(run, 0) for run in runs.values())


def _apart(run: xr.Dataset, step: int) -> float:
    small = run["w"].isel(step=0).values < 1
    w = run["w"].isel(step=step).values[small]
    return float(w.max() / w.min() - 1)


def _kept_differences(runs: Runs) -> float:
    """wᵢ² − wⱼ² of those factors: at the end ÷ at the start, where the least of it is left."""
    left = []
    for run in runs.values():
        small = run["w"].isel(step=0).values < 1
        squares = run["w"].isel(step=[0, -1]).values[:, small] ** 2
        before, after = np.ptp(squares, axis=1)
        left.append(float(after / before))
    return min(left)


_APP = f"{KEY}, decoupled initialisations"


def _without_four(measure: Measure) -> Measure:
    return lambda runs: measure({name: run for name, run in runs.items() if name != "four factors"})


DECOUPLED = (
    Claim(
        "products whose factors start apart end just below 2/η too, in units of η",
        _APP,
        farthest_gap,
        THEOREM,
        counter=Claim("they end where gradient flow does", _APP, _flow_decoupled, AtMost(0.02)),
    ),
    Claim(
        "three or seven factors: the small ones become equal",
        _APP,
        _without_four(_synchronised),
        AtMost(1e-3),
        counter=Claim(
            "they keep the differences of their squares, as under gradient flow",
            _APP,
            _without_four(_kept_differences),
            AtLeast(0.5),
        ),
    ),
)

# Degree two


def _off_identity(runs: Runs) -> float:
    """The largest relative difference from x′² − y′² = (x² − y²)(1 − η²(xy − 1)²)."""
    run = one(runs)
    imbalance = (run["x"] ** 2 - run["y"] ** 2).transpose("step", ...).values
    residual = (run["x"] * run["y"] - 1).transpose("step", ...).values
    predicted = imbalance[:-1] * (1 - run["lr"].values ** 2 * residual[:-1] ** 2)
    return float(np.abs(imbalance[1:] / predicted - 1).max())


def _gap_ratio(runs: Runs) -> float:
    """The gap of degree two ÷ that of degree four, where it is smallest."""
    return float((gap(runs["two"]) / gap(runs["four"])).min())


def _mean_gap(run: xr.Dataset, lr: float) -> float:
    """2/η − sharpness at the end, over the starts."""
    return float((gap(run) * run["lr"]).mean("start").sel(lr=lr))


def _gap_exponent(runs: Runs) -> float:
    """The power of η with which the gap goes."""
    run = one(runs)
    single = {str(lr): run.sel(lr=[lr]) for lr in run["lr"].values.tolist()}
    return exponent(
        lambda each: _mean_gap(one(each), float(one(each)["lr"][0])), lambda each: float(one(each)["lr"][0])
    )(single)


def _grows_with_start(runs: Runs) -> float:
    """The rank correlation of the gap with a at the start, at the smallest step size."""
    run = one(runs)
    starts = {str(start): run.sel(start=[start]).isel(lr=[-1]) for start in run["start"].values.tolist()}
    return order(lambda each: float(gap(one(each)).squeeze()))(starts)


def _mirrored(runs: Runs) -> float:
    """−a at the end ÷ a at the start, for the start nearest to the edge; the one farthest from 1."""
    run = one(runs).isel(start=0)
    return farthest((-run["a"].isel(step=-1) / run["a"].isel(step=0)).values, 1.0)


def _at_the_edge(runs: Runs) -> float:
    """|b| where a is nearest to 0 ÷ its largest, at the step size where that is least."""
    run = one(runs).isel(start=0).transpose("step", "lr")
    a, b = np.abs(run["a"].values)[1:], np.abs(run["b"].values)
    pair = np.maximum(b[1:], b[:-1])  # the two sides of an oscillation differ
    here = np.take_along_axis(pair, a.argmin(0)[None], axis=0)[0]
    return float((here / b.max(0)).min())


_TWO = f"{KEY}, the product of two"

DEGREES = (
    Claim(
        "the imbalance x² − y² shrinks by 1 − η²(xy − 1)² a step",
        _TWO,
        of("one step", _off_identity),
        AtMost(1e-12),
    ),
    Claim("from the same start, degree two ends much further below 2/η", _TWO, _gap_ratio, AtLeast(5.0)),
    Claim(
        "what it leaves does not vanish with η, but grows as 1/√η",
        _TWO,
        of("two", _gap_exponent),
        Within(0.1, of=-0.5),
        counter=Claim("it vanishes as η, as in degree four", _TWO, of("two", _gap_exponent), Within(0.1, of=1.0)),
    ),
    Claim("and depends on where it started", _TWO, of("two", _grows_with_start), AtLeast(1.0)),
    Claim("it ends as far behind the edge as it started ahead of it", _TWO, of("two", _mirrored), Within(0.1)),
    Claim(
        "degree two oscillates most as it passes the edge",
        _TWO,
        of("two, path", _at_the_edge),
        AtLeast(0.9),
        counter=Claim("so does degree four", _TWO, of("four, path", _at_the_edge), AtLeast(0.9)),
    ),
)

# The network


def _end_ratio(runs: Runs) -> float:
    run = one(runs)
    return float(run["end_sharpness"] * run["lr"] / 2)


def _highest_ratio(runs: Runs) -> float:
    run = one(runs)
    return float(run["sharpness"].max() * run["lr"] / 2)


def parabola_of(run: xr.Dataset) -> tuple[float, float]:
    """c and d of x = cy² + d, by least squares over the stretch."""
    c, d = np.polyfit(run["y"].values ** 2, run["x"].values, 1)
    return float(c), float(d)


def _explained(runs: Runs) -> float:
    """R² of that fit."""
    run = one(runs)
    c, d = parabola_of(run)
    x = run["x"].values
    return float(1 - ((x - c * run["y"].values ** 2 - d) ** 2).sum() / ((x - x.mean()) ** 2).sum())


_FIG7 = f"{KEY}, Figure 7"

NETWORK = (
    Claim(
        "the sharpness of a network ends just under 2/η, as a share of it",
        _FIG7,
        of("path", _end_ratio),
        Between(0.995, 1.0),
        counter=Claim("which it never exceeded", _FIG7, of("path", _highest_ratio), AtMost(1.0)),
    ),
    Claim("its last way at the edge is a parabola", _FIG7, of("path", _explained), AtLeast(0.95)),
)
