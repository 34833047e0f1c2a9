"""Flatter than gradient flow, the more so the larger the step size, at the price of time."""

import numpy as np
from scipy.stats import spearmanr

from edgewise.claims import AtLeast, AtMost, Claim, Runs, Within, only

_SOURCE = "beneventano2025gradient, Theorem 1"
_TRADE = "beneventano2025gradient, Section 4"


def _unconverged(runs: Runs) -> float:
    return float(np.abs(only(runs)["residual"]).max())


def _miss(runs: Runs) -> float:
    """The largest error of Π(1 − η²r²), as a share of the first imbalance."""
    return float(only(runs)["miss"].max())


def _flatter(runs: Runs) -> float:
    """The share of descents that end flatter than gradient flow from the same start."""
    run = only(runs)
    return float((run["sharpness"] < run["flow_sharpness"]).mean())


def _shrinking(runs: Runs) -> float:
    """The rank correlation of the median final sharpness with the step size."""
    run = only(runs)
    return float(spearmanr(run["step_size"], run["sharpness"].median("start")).statistic)


def _formula(runs: Runs) -> float:
    """S² − 4 at the end ÷ (S₀² − 4f₀²) Π(1 − η²r²)², the farthest from 1."""
    run = only(runs)
    predicted = np.sqrt(4 + (run["flow_sharpness"] ** 2 - 4) * run["factor"] ** 2)
    ratio = (run["sharpness"] / predicted).values.ravel()
    return float(ratio[np.argmax(np.abs(ratio - 1))])


def _past_the_edge(runs: Runs) -> float:
    """The largest edge ratio at the end, of the descents that start past the edge."""
    run = only(runs)
    beyond = run["step_size"] * run["start_sharpness"] > 2
    return float((run["step_size"] * run["sharpness"] / 2).where(beyond).max())


def _slower_beyond_the_fastest(runs: Runs) -> float:
    """The rank correlation of the median number of steps with the step size, from the fastest one on."""
    steps = only(runs)["steps"].median("start").values
    rest = steps[int(np.argmin(steps)) :]
    return float(spearmanr(np.arange(len(rest)), rest).statistic) if len(rest) > 2 else float("nan")


def _fastest(runs: Runs) -> float:
    """The step size with the fewest steps ÷ the largest one."""
    run = only(runs)
    size = run["step_size"].values
    return float(size[int(np.argmin(run["steps"].median("start").values))] / size[-1])


SWEEP = (
    Claim("every descent converges", _SOURCE, _unconverged, AtMost(1e-12)),
    Claim("imbalances shrink by 1 − η²r² at each step", _SOURCE, _miss, AtMost(1e-12)),
    Claim("the final sharpness is what this leaves of the first one", _SOURCE, _formula, Within(1e-12)),
    Claim("gradient descent ends flatter than gradient flow from the same start", _SOURCE, _flatter,
          Within(0, of=1)),
    Claim("the larger the step size, the flatter", _SOURCE, _shrinking, AtMost(-0.9), seeds=3),
    Claim("a start past the edge ends below it", _SOURCE, _past_the_edge, AtMost(1.0)),
    Claim("past the fastest step size, flatter is slower", _TRADE, _slower_beyond_the_fastest, AtLeast(0.9),
          seeds=3,
          counter=Claim("the fastest step size is the largest one", _TRADE, _fastest, AtLeast(1.0), seeds=3)),
)  # fmt: skip
