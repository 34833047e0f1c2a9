"""The sharpness dimension, read two ways, and beside the generalisation gap."""

import numpy as np
from scipy.stats import kendalltau

from edgewise.claims import AtLeast, Between, Claim, Measure, Runs, Within, farthest, smallest
from edgewise.foundation import EvidenceError

_KEY = "tuci2026generalization"
_DEFINITION = f"{_KEY}, sharpness dimension"
_EXPERIMENTS = f"{_KEY}, experiments"


def _agreement(runs: Runs) -> float:
    """SD by quadrature ÷ SD by whole spectra."""
    (run,) = runs.values()
    if not float(run["dimension"]) > 0:
        raise EvidenceError("a sharpness dimension", "nothing expands, so it is zero", "Take a larger step size")
    return float(run["quadrature_dimension"] / run["dimension"])


def _expansion(runs: Runs) -> float:
    """λ₁, the mean logarithm of the largest factor of a step."""
    (run,) = runs.values()
    return float(run["rate"][0])


def _share(runs: Runs) -> float:
    """SD ÷ the number of parameters."""
    (run,) = runs.values()
    return float(run["dimension"]) / run.sizes["index"]


def _concordance(name: str) -> Measure:
    """Kendall's τ of a number with the generalisation gap, over the runs."""

    def measure(runs: Runs) -> float:
        values = [float(run[name]) for run in runs.values()]
        gaps = [float(run["test_loss"] - run["training_loss"]) for run in runs.values()]
        if np.ptp(values) == 0:
            raise EvidenceError(f"the order of {name}", "it is the same in all runs", "Widen the grid")
        return float(kendalltau(values, gaps).statistic)

    return measure


GRID = (
    Claim("where SGD ends up some direction expands", _DEFINITION, smallest(_expansion), AtLeast(0.0)),
    Claim(
        "the sharpness dimension is less than the number of parameters",
        _DEFINITION,
        farthest(_share, of=0.0),
        Between(0.0, 1 - 1e-9),
    ),
    Claim("quadrature finds the dimension of the whole spectrum", _DEFINITION, farthest(_agreement), Within(0.05)),
    Claim(
        "where the sharpness dimension is greater so is the generalisation gap",
        _EXPERIMENTS,
        _concordance("dimension"),
        Between(1e-9, 1.0),
        seeds=3,
        counter=Claim(
            "where it is greater the generalisation gap is smaller",
            _EXPERIMENTS,
            _concordance("dimension"),
            Between(-1.0, -1e-9),
        ),
    ),
)
