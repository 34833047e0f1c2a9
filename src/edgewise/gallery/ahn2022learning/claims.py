"""Where a neuron stops, where its bias becomes negative, and what that does for a network."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, of, only
from edgewise.gallery.ahn2022learning.recipe import SLOPES

_NEURON = "ahn2022learning, single-neuron model"
_MEAN = "ahn2022learning, mean model"
_NETWORK = "ahn2022learning, Figure 1"

_ASYMPTOTIC = 0.05  # the largest step size of which the constant η/(2c) is asserted
_KINK = 0.005  # a bias that is no longer that of the stable regime


def _gap(loss: str) -> Measure:
    """(2/η − y²)/η above the threshold and at small step sizes: the one that is farthest from 1/(2c)."""
    wanted = 1 / (2 * SLOPES[loss][1])

    def measure(runs: Runs) -> float:
        gaps = _gaps(only(runs)).sel(loss=loss)
        small = gaps.sel(step_size=gaps["step_size"] <= _ASYMPTOTIC).values.ravel()
        return float(small[np.abs(small - wanted).argmax()])

    return of("ends", measure)


def _gaps(run: xr.Dataset) -> xr.DataArray:
    above = run["sharpness"].sel(share=run["share"] > 1)
    return (2 / run["step_size"] - above) / run["step_size"]


def _order_of_correction(runs: Runs) -> float:
    """The power of η in gap/η − 1/(2c), of the loss for which it is farthest from 2."""
    run = only(runs)
    gaps = _gaps(run).isel(share=0)
    powers = [
        np.polyfit(np.log(run["step_size"].values), np.log(np.abs(gaps.sel(loss=loss).values - 1 / (2 * c))), 1)[0]
        for loss, (_, c) in SLOPES.items()
    ]
    return float(max(powers, key=lambda power: abs(power - 2)))


def _spread(runs: Runs) -> float:
    """How much y² at the end depends on the start, above the threshold."""
    above = _gaps(only(runs)) * only(runs)["step_size"]
    return float((above.max("share") - above.min("share")).max())


def _spread_below(runs: Runs) -> float:
    """The same below the threshold, in units of 2/η: the least over losses and step sizes."""
    run = only(runs)
    below = run["sharpness"].sel(share=run["share"] < 1) * run["step_size"] / 2
    return float((below.max("share") - below.min("share")).min())


def _departure(runs: Runs) -> float:
    """|y² ÷ (y₀² − x₀²) − 1| ÷ η, the largest below the threshold."""
    run = only(runs)
    below = run["sharpness"].sel(share=run["share"] < 1)
    kept = below["share"] * 2 / run["step_size"]
    return float((np.abs(below / kept - 1) / run["step_size"]).max())


def _left(runs: Runs) -> float:
    return float(only(runs)["left"].max())


SINGLE_NEURON = (
    *(
        Claim(
            f"the sharpness of {loss} stops η/(2c) short of the critical curvature",
            _NEURON,
            _gap(loss),
            Within(0.01, of=1 / (2 * c)),
            counter=Claim(
                f"the sharpness of {loss} stops at the critical curvature itself",
                _NEURON,
                _gap(loss),
                Within(0.01, of=0.0),
            ),
        )
        for loss, (_, c) in SLOPES.items()
    ),
    Claim(
        "what the gap is beyond η/(2c) shrinks with the cube of the step size",
        _NEURON,
        of("ends", _order_of_correction),
        Within(0.1, of=2.0),
    ),
    Claim(
        "above the threshold the end does not depend on the start",
        _NEURON,
        of("ends", _spread),
        AtMost(1e-9),
        counter=Claim("below the threshold it does not either", _NEURON, of("ends", _spread_below), AtMost(1e-9)),
    ),
    Claim(
        "below the threshold the neuron follows gradient flow, but for a share of η",
        _NEURON,
        of("ends", _departure),
        AtMost(1.0),
    ),
    Claim("every neuron comes to rest at a minimum", _NEURON, of("ends", _left), AtMost(1e-8)),
)


def _bias(width: int, ratio: float) -> Measure:
    return of("ends", lambda runs: float(only(runs)["bias"].sel(width=width, ratio=ratio)))


def _off(runs: Runs) -> float:
    """The largest |b − prediction| from 1.1 to 8 times the threshold, over all widths."""
    run = only(runs)
    beyond = run.sel(ratio=(run["ratio"] >= 1.1) & (run["ratio"] <= 8))
    return float(np.abs(beyond["bias"] - beyond["predicted"]).max())


def _off_zero(runs: Runs) -> float:
    """The largest |b| at 1.1 times the threshold and beyond, in the width where it is least."""
    run = only(runs)
    return float(-run["bias"].sel(ratio=run["ratio"] >= 1.1).min("ratio").max())


def _onset(run: xr.Dataset) -> xr.DataArray:
    """The smallest step size, by width, of which the bias is more than `_KINK` below zero."""
    return run["eta"].where(run["bias"] < -_KINK).min("ratio")


def _onset_in_units(runs: Runs) -> float:
    """Onset × d²/π, of the width where it is farthest from 8."""
    units = (_onset(only(runs)) * only(runs)["width"] ** 2 / np.pi).values
    return float(units[np.abs(units - 8).argmax()])


def _onset_power(runs: Runs) -> float:
    onset = _onset(only(runs))
    return float(np.polyfit(np.log(onset["width"].values), np.log(onset.values), 1)[0])


MEAN_MODEL = (
    Claim("below the threshold no bias is learned", _MEAN, _bias(200, 0.95), Within(0.005, of=0.0)),
    Claim(
        "above the threshold the bias falls to where the neuron is stable again",
        _MEAN,
        of("ends", _off),
        AtMost(0.01),
        counter=Claim(
            "above the threshold no bias is learned either", _MEAN, of("ends", _off_zero), AtMost(0.005)
        ),
    ),
    Claim("the threshold is 8π/d²", _MEAN, of("ends", _onset_in_units), Within(0.05, of=8.0, relative=True)),
    Claim(
        "the threshold falls with the square of the width", _MEAN, of("ends", _onset_power), Within(0.05, of=-2.0)
    ),
)


def _change(name: str, low: float, high: float) -> Measure:
    """What a result gains from one step size, in units of the threshold, to another one."""
    return of("network", lambda runs: float(only(runs)[name].sel(ratio=high) - only(runs)[name].sel(ratio=low)))


def _trend(name: str, sense: Callable[[xr.DataArray], xr.DataArray]) -> Measure:
    """The share of neighbouring step sizes above the threshold between which a result goes the way it should."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        series = run[name].sel(ratio=run["ratio"] >= 0.95)
        return float(sense(series.diff("ratio")).mean())

    return of("network", measure)


NETWORK = (
    Claim(
        "below the threshold the bias does not depend on the step size",
        _NETWORK,
        _change("bias", 0.4, 0.95),
        Within(0.01, of=0.0),
        seeds=3,
    ),
    Claim(
        "above the threshold the bias falls",
        _NETWORK,
        _change("bias", 0.95, 2.0),
        AtMost(-0.15),
        seeds=3,
    ),
    Claim(
        "the larger the step size above the threshold, the lower the bias",
        _NETWORK,
        _trend("bias", lambda change: change < 0),
        AtLeast(1.0),
        seeds=3,
    ),
    Claim(
        "threshold neurons generalise better",
        _NETWORK,
        _change("accuracy", 0.95, 8.0),
        AtLeast(0.05),
        seeds=3,
        counter=Claim(
            "a larger step size generalises better below the threshold as well",
            _NETWORK,
            _change("accuracy", 0.4, 0.95),
            AtLeast(0.01),
            seeds=3,
        ),
    ),
)
