"""Descent on a product of four ends just below the critical curvature, wherever it started ahead of it."""

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, of
from edgewise.foundation import EvidenceError
from edgewise.gallery.zhu2022understanding.claims.measures import KEY, THEOREM, farthest, farthest_gap, gap, one

# What is left of 2/η, ÷ η, at the end.
_LIMITS = {0.2: 0.363, 0.1: 0.4615, 0.05: 0.490, 0.02: 0.4984, 0.01: 0.4996}
_BAND = 0.1

# Three step sizes


def _least_excess(runs: Runs) -> float:
    """The sharpness at the start ÷ 2/η, for the step size that is nearest to stable."""
    run = one(runs)
    return float((run["sharpness"].isel(step=0) * run["lr"] / 2).min())


def _far_from_flow(runs: Runs) -> float:
    """How far the sharpness ends from where gradient flow would, relative, where it is nearest to it."""
    run = one(runs)
    invariant = (run["x"] ** 2 - run["y"] ** 2).isel(step=0)
    return float(np.abs(run["sharpness"].isel(step=-1) / (2 * np.sqrt(invariant**2 + 4)) - 1).min())


def _final_loss(runs: Runs) -> float:
    return float(one(runs)["loss"].isel(step=-1).max())


def _fewest_rises(runs: Runs) -> float:
    """How often the loss went up on the way, where it did so least."""
    return float((one(runs)["loss"].diff("step") > 0).sum("step").min())


_FIG1 = f"{KEY}, Figure 1"

THREE_STEP_SIZES = (
    Claim("the sharpness starts above every critical curvature", _FIG1, of("paths", _least_excess), AtLeast(1.0)),
    Claim(
        "each step size ends just below its own 2/η: what is left, ÷ η, is as the theorem allows",
        _FIG1,
        of("paths", farthest_gap),
        THEOREM,
        counter=Claim(
            "it ends where gradient flow from the same start does",
            _FIG1,
            of("paths", _far_from_flow),
            AtMost(0.02),
        ),
    ),
    Claim("the loss goes up again and again", _FIG1, of("paths", _fewest_rises), AtLeast(10)),
    Claim("and still to zero", _FIG1, of("paths", _final_loss), AtMost(1e-8)),
)

# The end


def _off_the_limits(runs: Runs) -> float:
    """The largest difference from what is known of (2/η − sharpness)/η."""
    left = gap(one(runs))
    return float(max(np.abs(left.sel(lr=lr) - _LIMITS[lr]).max() for lr in left["lr"].values.tolist()))


def _off_a_half(runs: Runs) -> float:
    left = gap(one(runs))
    return farthest(left.sel(lr=left["lr"] <= 0.02), 0.5)


def _spread(runs: Runs) -> float:
    """How much the start matters to what is left."""
    left = gap(one(runs))
    return float((left.max("start") - left.min("start")).max())


def _left_by_flow(runs: Runs) -> float:
    """The largest difference, ÷ η, from where gradient flow from the same starts ends."""
    run = one(runs)
    invariant = (run["x"] ** 2 - run["y"] ** 2).isel(step=0)
    flow = (2 / run["lr"] - 2 * np.sqrt(invariant**2 + 4)) / run["lr"]
    return float(np.abs(gap(run) - flow).max())


_THM = f"{KEY}, main theorem"

GAPS = (
    Claim(
        "what is left of 2/η, ÷ η, is as the theorem allows",
        _THM,
        of("ends", farthest_gap),
        THEOREM,
        counter=Claim(
            "what is left is that of gradient flow from the same starts",
            _THM,
            of("ends", _left_by_flow),
            AtMost(0.02),
        ),
    ),
    Claim("it is the known number for every step size", _THM, of("ends", _off_the_limits), AtMost(0.002)),
    Claim("for small step sizes it is a half", _THM, of("ends", _off_a_half), Within(0.02, of=0.5)),
    Claim("wherever descent started", _THM, of("ends", _spread), AtMost(0.002)),
)

# The parabola


def _on_parabola(run: xr.Dataset, low: float, high: float) -> xr.DataArray:
    """The mean of b² over neighbouring readings ÷ aκ/2 + κ⁴/16, while a is between two numbers.

    Raises:
        EvidenceError: if it never is, on one of the paths.
    """
    kappa = np.sqrt(run["lr"])
    mean = (run["b"] ** 2).rolling(step=2).mean()
    middle = run["a"].rolling(step=2).mean()
    ratio = (mean / (middle * kappa / 2 + kappa**4 / 16)).where((middle > low) & (middle < high))
    if int(ratio.notnull().sum("step").min()) < 10:
        raise EvidenceError(
            f"the parabola for a between {low:g} and {high:g}", "a path is never there", "Take more steps"
        )
    return ratio


def _off_parabola(runs: Runs) -> float:
    """The ratio farthest from one once the starts are forgotten."""
    run = one(runs)
    return _farthest_finite(_on_parabola(run.sel(step=run["step"] >= 2000), 0.01, 0.1))


def _farthest_finite(ratio: xr.DataArray) -> float:
    values = ratio.values
    return farthest(values[np.isfinite(values)], 1.0)


def _largest_ratio(runs: Runs) -> float:
    run = one(runs)
    return float(_on_parabola(run.sel(step=run["step"] >= 2000), 0.01, 0.1).max())


def _starting_ratio(runs: Runs) -> float:
    """The start that is nearest to the parabola, in orders of magnitude of b²."""
    run = one(runs).isel(step=0)
    kappa = np.sqrt(run["lr"])
    return float(np.abs(np.log10(run["b"] ** 2 / (run["a"] * kappa / 2 + kappa**4 / 16))).min())


def _smallest_share(name: str) -> Measure:
    return lambda runs: float(one(runs)[name].isel(share=-1))


_AB = f"{KEY}, the (a, b) map"

PARABOLA = (
    Claim("two steps move a by −4b²κ³ to leading order", _AB, of("two steps", _smallest_share("a")), Within(0.01)),
    Claim(
        "two steps move b by 8abκ − 16b³ to leading order",
        _AB,
        of("two steps", _smallest_share("b")),
        Within(0.01),
    ),
    Claim("the starts are off the parabola", _AB, of("paths", _starting_ratio), AtLeast(0.3)),
    Claim(
        "all are drawn onto it, b² = aκ/2 + κ⁴/16, and stay on it",
        _AB,
        of("paths", _off_parabola),
        Within(0.01),
        counter=Claim("the oscillation dies out beforehand", _AB, of("paths", _largest_ratio), AtMost(0.5)),
    ),
)

# The map of initialisations


def _share_in_band(name: str) -> Measure:
    """The share, among the starts from which descent converges, whose sharpness ends within 0.1 of 2/η."""

    def share(runs: Runs) -> float:
        run = one(runs)
        values = run[name].values
        values = values[np.isfinite(values)]
        if not values.size:
            raise EvidenceError("the share of starts", "none of them converges", "Take a smaller step size")
        return float((np.abs(values - 2 / float(run["lr"])) < _BAND).mean())

    return share


def _largest_sharpness(runs: Runs) -> float:
    run = one(runs)
    return float(run["sharpness"].max() * run["lr"] / 2)


_MAP = f"{KEY}, map of initialisations"

INITIALISATIONS = (
    Claim(
        "a sizeable share of starts ends at the edge",
        _MAP,
        of("grid", _share_in_band("sharpness")),
        Within(0.02, of=0.239),
        counter=Claim(
            "as many do under gradient flow", _MAP, of("grid", _share_in_band("flow")), Within(0.02, of=0.239)
        ),
    ),
    Claim("none ends above it", _MAP, of("grid", _largest_sharpness), AtMost(1.0)),
)

# The bifurcation


def _largest_b(runs: Runs) -> float:
    return float(np.abs(one(runs)["b"]).max())


def _off_branch(runs: Runs) -> float:
    """The largest distance of |b| from √s/4."""
    run = one(runs)
    return float(np.abs(np.abs(run["b"]) - np.sqrt(run["s"]) / 4).max())


def _least_movement(runs: Runs) -> float:
    """How far b still moves in a step of its map ÷ √s/4, at the s where it moves least."""
    run = one(runs)
    moved = np.abs(np.diff(run["b"].transpose("step", "s").values, axis=0)).max(0)
    return float((moved / (np.sqrt(run["s"].values) / 4)).min())


def _escaped(runs: Runs) -> float:
    return float(1 - np.isfinite(one(runs)["b"].isel(step=-1)).mean())


def _cycle(low: float, high: float) -> Measure:
    """How far b moves in two readings ÷ in one, medians while a is between two numbers; a reading is an odd number
    of steps."""

    def residual(runs: Runs) -> float:
        path = one(runs).isel(start=0, lr=0)
        a, b = path["a"].values[:-2], path["b"].values
        there = (a > low) & (a < high)
        if there.sum() < 100:
            raise EvidenceError(
                f"cycles for a in {low:g} … {high:g}", "the path is never there", "Start further ahead"
            )
        return float(np.median(np.abs(b[2:] - b[:-2])[there]) / np.median(np.abs(np.diff(b)[:-1])[there]))

    return residual


def _gap_of_minimum(runs: Runs) -> float:
    """(2/η − 2√((x² − y²)² + 4))/η at the end: of the minimum that b still swings about."""
    end = one(runs).isel(step=-1, start=0, lr=0)
    return float((2 / end["lr"] - 2 * np.sqrt((end["x"] ** 2 - end["y"] ** 2) ** 2 + 4)) / end["lr"])


def _off_parabola_late(runs: Runs) -> float:
    return _farthest_finite(_on_parabola(one(runs), 0.01, 0.1))


_FIG6 = f"{KEY}, Figure 6b"

BIFURCATION = (
    Claim("with a frozen below 0 the oscillation dies", _FIG6, of("dying", _largest_b), AtMost(1e-10)),
    Claim("from s = 0 to 1 it alternates between ±√s/4", _FIG6, of("alternating", _off_branch), AtMost(1e-10)),
    Claim("from 1 to 2 no longer", _FIG6, of("doubling", _least_movement), AtLeast(1e-3)),
    Claim("beyond 2 it escapes", _FIG6, of("escaping", _escaped), AtLeast(1.0)),
    Claim("the path begins without a cycle of two", _FIG6, of("path", _cycle(1.25, 2.5)), AtLeast(0.05)),
    Claim("comes into one as a falls", _FIG6, of("path", _cycle(0.01, 1.0)), AtMost(0.01)),
    Claim("follows the parabola down", _FIG6, of("path", _off_parabola_late), Within(0.01)),
    Claim(
        "to a minimum as the theorem allows, in units of η below 2/η", _FIG6, of("path", _gap_of_minimum), THEOREM
    ),
)
