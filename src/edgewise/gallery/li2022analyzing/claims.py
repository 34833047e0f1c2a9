"""The squared norm of the output layer goes up and down with the sharpness."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.claims import AtLeast, Claim, Measure, Runs, of, only, smallest
from edgewise.foundation import EvidenceError

_SOURCE = "li2022analyzing, the norm of the output layer"
_PHASES = "li2022analyzing, four phases"
# The first steps, longer than a start allows, are left out.
_WARM = 0.05


def _at_edge(run: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sharpness and squared norm from where the sharpness first rises above 2/η, past the first steps."""
    sharpness, norm = run["sharpness"].values, run["output_norm"].values
    above = sharpness >= float(run["critical_curvature"])
    first = int(_WARM * len(sharpness))
    rising = np.flatnonzero(above[first + 1 :] & ~above[first:-1])
    if not rising.size:
        raise EvidenceError(
            "the edge of stability",
            f"the sharpness does not rise above 2/η past step {first}",
            "Take a larger step size, or more steps",
        )
    at = first + 1 + int(rising[0])
    return sharpness[at:], norm[at:]


def _pearson(runs: Runs) -> float:
    sharpness, norm = _at_edge(only(runs))
    return float(np.corrcoef(sharpness, norm)[0, 1])


def _same_sign(runs: Runs) -> float:
    """The share of steps in which both rise or both fall."""
    sharpness, norm = _at_edge(only(runs))
    return float((np.sign(np.diff(sharpness)) == np.sign(np.diff(norm))).mean())


def _returns(runs: Runs) -> float:
    """How often the sharpness rises above 2/η."""
    sharpness, _ = _at_edge(only(runs))
    above = sharpness >= float(only(runs)["critical_curvature"])
    return float(1 + (above[1:] & ~above[:-1]).sum())


def _of(network: str, words: str) -> tuple[Claim, ...]:
    measures: tuple[tuple[str, Measure], ...] = (
        (f"{words} the sharpness is correlated with the squared norm of the output layer", _pearson),
        (f"{words} both rise or fall together, step by step", _same_sign),
    )
    return tuple(Claim(sentence, _SOURCE, of(network, measure), AtLeast(0.9)) for sentence, measure in measures)


PROXY = (
    Claim(
        "the sharpness rises above the critical curvature more than once", _PHASES, smallest(_returns), AtLeast(2)
    ),
    *_of("linear", "in the linear network"),
    *_of("tanh", "in the network of tanh"),
)
