"""At the same critical curvature, momentum catapults higher and ends flatter."""

import numpy as np

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, of, only, order, ratio
from edgewise.foundation import EvidenceError

_TOY = "phunyaphibarn2024gradient, toy example"
_DIAGONAL = "phunyaphibarn2024gradient, linear diagonal networks"

_GD, _LITTLE, _MUCH = "β = 0", "β = 0.5", "β = 0.9"


def _gap(runs: Runs) -> float:
    """(2/η − final sharpness)/η: the median over starts."""
    run = only(runs)
    eta = float(run.attrs["step_size"])
    return float(((2 / eta - run["sharpness"]) / eta).median())


def _spread(runs: Runs) -> float:
    """How much the final sharpness depends on the start."""
    sharpness = only(runs)["sharpness"]
    return float(sharpness.max() - sharpness.min())


def _peak(runs: Runs) -> float:
    """The largest |xy| on the way: the median over starts."""
    return float(only(runs)["peak"].median())


def _end(runs: Runs) -> float:
    """The final sharpness: the median over starts."""
    return float(only(runs)["sharpness"].median())


TOY = (
    Claim("the more momentum, the larger the catapult", _TOY, order(_peak), AtLeast(0.9)),
    Claim("the more momentum, the flatter the end", _TOY, order(_end), AtMost(-0.9)),
    Claim("gradient descent ends just below the critical curvature", _TOY, of(_GD, _gap), Within(0.01, of=1.5)),
    Claim(
        "with much momentum the end is at least ten times as far below",
        _TOY,
        ratio(of(_MUCH, _gap), of(_GD, _gap)),
        AtLeast(10.0),
        counter=Claim(
            "with a momentum of a half it is so, too", _TOY, ratio(of(_LITTLE, _gap), of(_GD, _gap)), AtLeast(10.0)
        ),
    ),
    Claim(
        "without momentum the end does not depend on the start",
        _TOY,
        of(_GD, _spread),
        AtMost(1e-9),
        counter=Claim("nor does it with much momentum", _TOY, of(_MUCH, _spread), AtMost(1e-9)),
    ),
)


def _edge_ratio(runs: Runs) -> float:
    """Final sharpness ÷ (2/η): the median over data sets and step sizes."""
    values = only(runs)["edge_ratio"]
    if not bool(values.notnull().any()):
        raise EvidenceError("the final sharpness", "nothing converged", "Let the recipe take smaller step sizes")
    return float(values.median())


def _below(runs: Runs) -> float:
    """1 − that."""
    return 1 - _edge_ratio(runs)


def _flatter(name: str) -> Measure:
    """The share of data sets and step sizes on which it ends flatter than gradient descent, if both converge."""

    def measure(runs: Runs) -> float:
        with_momentum, without = runs[name]["edge_ratio"], runs[_GD]["edge_ratio"]
        both = with_momentum.notnull() & without.notnull()
        if not bool(both.any()):
            raise EvidenceError("two ends to compare", "no data set has both", "Take smaller step sizes")
        return float(np.mean((with_momentum < without).values[both.values]))

    return measure


DIAGONAL = (
    Claim(
        "gradient descent ends at the critical curvature of the warmed-up step size",
        _DIAGONAL,
        of(_GD, _edge_ratio),
        Within(0.02, of=1.0),
        seeds=3,
    ),
    Claim(
        "with much momentum the end is at least ten times as far below",
        _DIAGONAL,
        ratio(of(_MUCH, _below), of(_GD, _below)),
        AtLeast(10.0),
        seeds=3,
        counter=Claim(
            "with a momentum of a half it is so, too",
            _DIAGONAL,
            ratio(of(_LITTLE, _below), of(_GD, _below)),
            AtLeast(10.0),
            seeds=3,
        ),
    ),
    Claim(
        "with much momentum the end is flatter nearly always", _DIAGONAL, _flatter(_MUCH), AtLeast(0.9), seeds=3
    ),
)
