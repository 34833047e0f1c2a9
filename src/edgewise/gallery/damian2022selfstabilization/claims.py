"""What the toy does exactly, and how well the same theory predicts networks at the edge."""

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import (
    AtLeast,
    AtMost,
    Between,
    Claim,
    Measure,
    Runs,
    Within,
    among,
    at_share,
    exponent,
    farthest,
    maximum,
    mean,
    of,
    only,
    smallest,
)
from edgewise.foundation import EvidenceError

Reals = NDArray[np.float64]

_TOY = "damian2022selfstabilization, Section 4"
_NETWORKS = "damian2022selfstabilization, Section 5"
_COARSE = "η = 0.02"


def _variance(runs: Runs) -> float:
    """⟨x²⟩ ÷ δ² over whole cycles."""
    run = only(runs)
    return float((run["x"] ** 2).mean() / run.attrs["delta"] ** 2)


def _excess(runs: Runs) -> float:
    """The mean loss ÷ δ²/η over whole cycles; at the reference point the loss is zero."""
    run = only(runs)
    return float(run["loss"].mean() * run.attrs["step_size"] / run.attrs["delta"] ** 2)


def _drift(runs: Runs) -> float:
    """⟨y⟩ ÷ its largest value."""
    run = only(runs)
    return float(run["y"].mean() / run["y"].max())


def _overshoot(runs: Runs) -> float:
    """By how much the highest y of the first cycle exceeds that of the conserved quantity, relatively."""
    run = only(runs)
    return float(run["highest"][0] / run["predicted"][0] - 1)


def _growth(runs: Runs) -> float:
    """By how much the conserved quantity grows from one cycle to the next, least."""
    return float(np.diff(only(runs)["conserved"].values).min())


def _growths(runs: Runs) -> float:
    """The same for the first cycle."""
    return float(np.diff(only(runs)["conserved"].values)[0])


def _step_size(runs: Runs) -> float:
    return float(only(runs).attrs["step_size"])


def _longer(runs: Runs) -> float:
    """The shortest cycle ÷ the period of small ones."""
    run = only(runs)
    return float(run["period"].min() / run.attrs["small_period"])


def stages(x: Reals, y: Reals, delta: float) -> NDArray[np.int64]:
    """Of each step: 0 sharpening, 1 blow-up, 2 self-stabilisation, 3 return."""
    wide, past = np.abs(x) > delta, y > 0
    return np.where(past, np.where(wide, 2, 1), np.where(wide, 3, 0))


def _in_order(runs: Runs) -> float:
    """The share of changes of stage that lead to the next one."""
    run = only(runs)
    stage = stages(run["x"].values, run["y"].values, run.attrs["delta"])
    change = np.diff(stage)
    change = change[change != 0]
    if len(change) < 4:
        raise EvidenceError("the order of the stages", "there are fewer than four changes", "Take more steps")
    return float((change % 4 == 1).mean())


def _at_rest(runs: Runs) -> float:
    """By how much x fails to flip and y to stay, over all steps."""
    run = only(runs)
    flips = np.abs(run["x"].values[1:] + run["x"].values[:-1]).max()
    return float(max(flips, np.abs(run["y"].values).max()))


def _cycling(name: str) -> bool:
    return name.startswith("η")


TOY = (
    Claim("over whole cycles the oscillation averages to δ²", _TOY, among(_cycling, farthest(_variance)),
          Within(0.02)),
    Claim("the loss exceeds the constrained one by δ²/η", _TOY, among(_cycling, farthest(_excess)), Within(0.02)),
    Claim("the sharpness averages to the edge", _TOY, among(_cycling, farthest(_drift, of=0.0)),
          Within(0.02, of=0)),
    Claim("sharpening, blow-up, self-stabilisation and return follow each other", _TOY,
          among(_cycling, smallest(_in_order)), Within(0, of=1)),
    Claim("the highest sharpness of a cycle is that of the conserved quantity", _TOY,
          among(_cycling, farthest(_overshoot, of=0.0)), Within(0.01, of=0)),
    Claim("but for an overshoot that shrinks with the step size", _TOY,
          among(_cycling, exponent(_overshoot, _step_size)), Within(0.1)),
    Claim("what would be conserved in continuous time grows from cycle to cycle", _TOY,
          among(_cycling, smallest(_growth)), AtLeast(0.0),
          counter=Claim("it is conserved", _TOY, of(_COARSE, _growth), AtMost(1e-3))),
    Claim("by an amount that shrinks with the step size", _TOY, among(_cycling, exponent(_growths, _step_size)),
          Within(0.1)),
    Claim("cycles take longer than small ones", _TOY, among(_cycling, smallest(_longer)), AtLeast(1.0)),
    Claim("an oscillation of the size δ at the edge repeats itself", _TOY, of("resting", _at_rest), AtMost(1e-9)),
)  # fmt: skip


def _error(predicted: str, measured: str) -> Measure:
    """The relative L2 error of a predicted series."""

    def measure(runs: Runs) -> float:
        run = _critical(runs)
        ours, theirs = run[predicted].values, run[measured].values
        return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))

    return measure


def _critical(runs: Runs) -> xr.Dataset:
    run = only(runs)
    if run.sizes["step"] < 20:
        raise EvidenceError(
            f"{run.sizes['step']} steps with a critical mode", "20 are needed to compare them", "Take more steps"
        )
    return run


def _excess_loss(runs: Runs) -> float:
    """The mean of L(w) − L(w†) ÷ that of δ²/η, up to the last upward crossing of the edge."""
    run = _critical(runs)
    y = run["y"].values
    up = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    if not up.size:
        raise EvidenceError("the mean over whole cycles", "there is no whole cycle", "Take more steps")
    whole = run.isel(step=slice(0, int(up[-1]) + 1))
    excess = (whole["loss"] - whole["constrained_loss"]).mean()
    return float(excess / (whole["delta_squared"].mean() / run.attrs["step_size"]))


def _loss_of_x(runs: Runs) -> float:
    """The relative L2 error of x²/η for L(w) − L(w†)."""
    run = _critical(runs)
    told = run["x"].values ** 2 / run.attrs["step_size"]
    excess = (run["loss"] - run["constrained_loss"]).values
    return float(np.linalg.norm(told - excess) / np.linalg.norm(excess))


def _deviation(runs: Runs) -> float:
    """√⟨‖w − w†‖²⟩ ÷ √⟨δ²⟩."""
    run = _critical(runs)
    return float(np.sqrt((run["deviation"] ** 2).mean() / run["delta_squared"].mean()))


def _nearer(runs: Runs) -> float:
    """The mean distance to gradient flow ÷ that to the constrained trajectory, over the last quarter."""
    far, near = (mean("distance", process=name, after=at_share(0.75)) for name in ("flow", "constrained"))
    return far(runs) / near(runs)


def _held(runs: Runs) -> float:
    """The largest edge ratio of the constrained trajectory."""
    return maximum("edge_ratio", process="constrained")(runs)


def _beyond(runs: Runs) -> float:
    """The largest sharpness of gradient flow ÷ 2/η."""
    run = only(runs)
    critical = float(run["critical_curvature"].sel(process="gd").isel(step=0))
    return maximum("sharpness", process="flow")(runs) / critical


def _digits(measure: Measure) -> Measure:
    """The decimal logarithm of what is measured."""
    return lambda runs: math.log10(measure(runs))


EARLY = (
    Claim("from an early crossing on the predicted oscillation is the measured one to one digit", _NETWORKS,
          of("early", _digits(_error("predicted_x", "x"))), AtMost(-1.0)),
    Claim("from an early crossing on the predicted sharpness is the measured one to one digit", _NETWORKS,
          of("early", _digits(_error("predicted_y", "y"))), AtMost(-1.0)),
)  # fmt: skip

PREDICTION = (
    Claim("from a later crossing on the predicted oscillation is the measured one", _NETWORKS,
          of("late", _error("predicted_x", "x")), AtMost(0.1)),
    Claim("from a later crossing on the predicted sharpness is the measured one", _NETWORKS,
          of("late", _error("predicted_y", "y")), AtMost(0.1)),
    Claim("the loss is that of the constrained trajectory and x²/η", _NETWORKS, of("late", _loss_of_x),
          AtMost(0.1)),
    Claim("over whole cycles it exceeds the constrained one by δ²/η", _NETWORKS, of("late", _excess_loss),
          Between(0.8, 1.25)),
    Claim("the iterates stay at a distance of order δ", _NETWORKS, of("late", _deviation), Between(0.5, 2.0)),
)  # fmt: skip

PATHS = (
    Claim("gradient descent stays nearer to the constrained trajectory than to gradient flow", _NETWORKS,
          of("paths", _nearer), AtLeast(3.0)),
    Claim("the constrained trajectory stays at the edge", _NETWORKS, of("paths", _held), AtMost(1.01),
          counter=Claim("gradient flow does as well", _NETWORKS, of("paths", _beyond), AtMost(1.01))),
)  # fmt: skip
