"""Near the point the loss is a parabola; far out it grows more slowly than one."""

import numpy as np

from edgewise.claims import AtMost, Claim, Measure, Runs, Within, farthest, largest, only, smallest
from edgewise.foundation import EvidenceError
from edgewise.gallery.ma2022beyond.recipe import MODES

_SOURCE = "ma2022beyond, subquadratic growth"
# In units of δ: well inside the oscillation, the decade from it on, and two of them.
_INSIDE, _DECADE, _TWO = (0.03, 0.3), (1.0, 10.0), (1.0, 100.0)
# A power that is nearer to two than this is that of a parabola.
_PARABOLA = Within(0.02, of=2.0)


def power(runs: Runs, mode: int, reach: tuple[float, float]) -> float:
    """The p of growth ∝ |s|ᵖ along one eigenvector, by least squares of the logarithms."""
    run = only(runs)
    s, growth = run["reach"].values, run["growth"].values[mode]
    inside = (s >= reach[0]) & (s <= reach[1])
    if (growth[inside] <= 0).any():
        raise EvidenceError(
            f"the growth along eigenvector {mode + 1}", "the loss falls", "Look at another eigenvector"
        )
    return float(np.polyfit(np.log(s[inside]), np.log(growth[inside]), 1)[0])


def _along(mode: int, reach: tuple[float, float]) -> Measure:
    return lambda runs: power(runs, mode, reach)


def _slowest(reach: tuple[float, float]) -> Measure:
    """The smallest power over the eigenvectors."""
    return lambda runs: min(power(runs, mode, reach) for mode in range(MODES))


def _fastest(reach: tuple[float, float]) -> Measure:
    """The largest one."""
    return lambda runs: max(power(runs, mode, reach) for mode in range(MODES))


def _under_the_parabola(runs: Runs) -> float:
    """The growth along the top eigenvector at 100 δ ÷ that of the parabola of its curvature."""
    run = only(runs)
    s = float(run["reach"][-1] * run["delta"])
    return float(run["growth"][0, -1]) / (0.5 * float(run["curvature"][0]) * s**2)


GROWTH = (
    Claim(
        "well inside the oscillation the loss grows with the square of the distance",
        _SOURCE,
        farthest(_along(0, _INSIDE), of=2.0),
        Within(0.05, of=2.0),
    ),
    Claim(
        "over the decade from the size of the oscillation on it grows more slowly along the top eigenvectors",
        _SOURCE,
        largest(_fastest(_DECADE)),
        AtMost(2.0),
        counter=Claim("there it still is a parabola", _SOURCE, farthest(_along(0, _DECADE), of=2.0), _PARABOLA),
    ),
    Claim(
        "over two decades it does",
        _SOURCE,
        largest(_fastest(_TWO)),
        AtMost(2.0),
        counter=Claim("there it still is a parabola", _SOURCE, smallest(_slowest(_TWO)), _PARABOLA),
    ),
    Claim(
        "at a hundred times the oscillation the loss is below the parabola of its curvature",
        _SOURCE,
        largest(_under_the_parabola),
        AtMost(1.0),
    ),
)
