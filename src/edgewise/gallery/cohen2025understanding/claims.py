"""The central flow goes where the method goes on average, and says how far it oscillates about that."""

import numpy as np
import xarray as xr

from edgewise.claims import (
    AtLeast,
    AtMost,
    Between,
    Claim,
    Measure,
    Runs,
    Within,
    crossing,
    last,
    maximum,
    only,
    ratio,
    values,
)
from edgewise.foundation import EvidenceError

_KEY = "cohen2025understanding"
# A mode is judged where it was critical for this share of the run past the onset.
_LONG = 0.25


def _onset(run: xr.Dataset, process: str | None) -> float:
    """The first step at which the midpoint of the method is at the edge of stability."""
    return crossing("effective_edge_ratio", 1.0)(run, "midpoint")


_distance = ratio(last("distance", process="central"), last("distance", process="stable"))


def _loss_over(prediction: str) -> Measure:
    """The mean loss of the method past the onset ÷ the mean of what the central flow says of it."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        losses = values(run, "loss", "method", after=_onset)
        return float(losses.mean() / values(run, prediction, "central", after=_onset).mean())

    return measure


def _by_mode(runs: Runs, name: str = "mode_displacement") -> list[tuple[float, float]]:
    """Of every mode that is critical for long: the sums of ⟨u, w − w_c⟩² and of the predicted variance."""
    run = only(runs).sel(process="central")
    late = run["step"].values >= _onset(only(runs), None)
    sums = []
    for mode in range(min(run.sizes["mode"], run["predicted_variance"].shape[1])):
        displaced, variance = run[name].values[:, mode], run["predicted_variance"].values[:, mode]
        both = late & np.isfinite(displaced) & np.isfinite(variance)
        if both.sum() > _LONG * late.sum():
            sums.append((float((displaced[both] ** 2).sum()), float(variance[both].sum())))
    if not sums:
        raise EvidenceError("the critical modes", "none stays critical", "Take more steps, or larger ones")
    return sums


def _worst_mode(runs: Runs) -> float:
    """Measured ÷ predicted variance of the mode for which it is farthest from one."""
    found = [measured / predicted for measured, predicted in _by_mode(runs)]
    return max(found, key=lambda value: abs(np.log(value)))


def _all_modes(runs: Runs) -> float:
    """Measured ÷ predicted variance of all modes together."""
    measured, predicted = np.sum(_by_mode(runs), axis=0)
    return float(measured / predicted)


def _oscillation(runs: Runs) -> float:
    """The same about the midpoints of the run, wherever the central flow is."""
    measured, predicted = np.sum(_by_mode(runs, "mode_oscillation"), axis=0)
    return float(measured / predicted)


def _of_flow(name: str, stable: str) -> tuple[Claim, ...]:
    """Verdicts (i) to (iv) on one method."""
    source = f"{_KEY}, {name}"
    return (
        Claim(
            f"the central flow of {name} ends near its midpoints, in relation to {stable}",
            source,
            _distance,
            AtMost(0.2),
            counter=Claim(f"{stable} ends as near", source, _distance, AtLeast(1.0)),
        ),
        Claim(
            "the mean loss at the edge is that of the central flow together with its oscillation",
            source,
            _loss_over("predicted_loss"),
            Within(0.05),
        ),
        Claim(
            "the central flow does not cross the edge of stability",
            source,
            maximum("effective_edge_ratio", process="central", after=_onset),
            AtMost(1.01),
        ),
        Claim(
            "along every critical mode the mean squared displacement is the predicted variance",
            source,
            _worst_mode,
            Between(0.7, 1.4),
        ),
        Claim(
            "so it is over the critical modes together",
            source,
            _all_modes,
            Between(0.7, 1.4),
        ),
        Claim(
            "so it is of the oscillation about the midpoints of the run itself",
            source,
            _oscillation,
            Between(0.7, 1.4),
        ),
    )


GRADIENT_DESCENT = _of_flow("gradient descent", "gradient flow")
SCALAR_RMSPROP = _of_flow("scalar RMSProp", "its stable flow")
RMSPROP = _of_flow("RMSProp", "its stable flow")

_TOY = f"{_KEY}, several critical modes"


def _diagonal(mode: int) -> Measure:
    """The time mean of x² ÷ its prediction."""
    return lambda runs: float(
        runs["toy"]["measured"].values[mode, mode] / runs["toy"]["predicted"].values[mode, mode]
    )


def _alone(runs: Runs) -> float:
    """The time mean of x² ÷ the variance that would hold that mode by itself; of both, what is nearer to one."""
    found = np.diag(runs["toy"]["measured"].values) / runs["toy"]["alone"].values
    return float(found[np.abs(found - 1).argmin()])


def _matrix_error(runs: Runs) -> float:
    """‖⟨xxᵀ⟩ − X‖ ÷ ‖X‖, by Frobenius."""
    measured, predicted = (runs["toy"][name].values for name in ("measured", "predicted"))
    return float(np.linalg.norm(measured - predicted) / np.linalg.norm(predicted))


TWO_MODES = (
    Claim(
        "complementarity is solved",
        _TOY,
        lambda runs: float(runs["toy"]["residual"]),
        AtMost(1e-8),
    ),
    Claim("the first mode oscillates as strongly as complementarity says", _TOY, _diagonal(0), Within(0.1)),
    Claim(
        "so does the second",
        _TOY,
        _diagonal(1),
        Within(0.1),
        counter=Claim(
            "each is as strong as would hold it by itself",
            _TOY,
            _alone,
            Within(0.1),
        ),
    ),
    Claim("the whole covariance is what it says, the product of both included", _TOY, _matrix_error, AtMost(0.1)),
)
