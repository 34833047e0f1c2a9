"""Decay slows progressive sharpening, and where it slows it to nothing the sharpness stays below its edge."""

import xarray as xr

from edgewise.claims import AtMost, Claim, Measure, Runs, Within, among, farthest, largest, order
from edgewise.foundation import EvidenceError
from edgewise.gallery.saether2026does.recipe import DECAYS

_KEY = "saether2026does"
_ABSTRACT = f"{_KEY}, abstract"
_MECHANISM = f"{_KEY}, alignment of parameters and sharpness gradient"
# The decays of the fully connected network under which it comes to its edge within the run, and the others.
_WEAK, _STRONG = (0.0, 0.001), (0.01, 0.03)
# The last quarter of a run is where it has settled; before the first half is over it sharpens.
_SETTLED, _SHARPENING = 0.75, 0.5


def _run(runs: Runs) -> xr.Dataset:
    (run,) = runs.values()
    return run


def _settled(run: xr.Dataset) -> xr.Dataset:
    return run.sel(step=run["step"] >= _SETTLED * float(run["step"][-1]))


def _early(runs: Runs) -> float:
    """The mean sharpness in the first half of a run, without its start."""
    run = _run(runs)
    step = run["step"]
    return float(run["sharpness"].sel(step=(step > 0) & (step <= _SHARPENING * float(step[-1]))).mean())


def _edge_ratio(runs: Runs) -> float:
    """The median sharpness where it has settled ÷ (2/η − γ)."""
    run = _run(runs)
    return float(_settled(run)["sharpness"].median() / run["critical_curvature"])


def _balance(runs: Runs) -> float:
    """γ⟨w, ∇S⟩ ÷ −⟨∇L, ∇S⟩ where it has settled: one if the sharpness neither grows nor falls."""
    run = _settled(_run(runs))
    return float((run["decay"] * run["decay_slope"]).mean() / run["data_rate"].mean())


def _overshoot(runs: Runs) -> float:
    """By how much the sharpness exceeds 2/η − γ at most, relative to it."""
    run = _run(runs)
    over = float(run["sharpness"].sel(step=run["step"] > 0).max() / run["critical_curvature"]) - 1
    if over <= 0 and float(run["decay"]) == 0:
        raise EvidenceError("the oscillation without decay", "the run never comes to its edge", "Take more steps")
    return over


def _cosine(name: str) -> Measure:
    """The mean of cos(w, ∇S) where the network without decay has settled."""
    return lambda runs: float(_settled(runs[f"{name}, γ = 0"])["cosine"].mean())


def _of(name: str, decays: tuple[float, ...], measure: Measure) -> Measure:
    return among(lambda each: each in {f"{name}, γ = {decay:g}" for decay in decays}, measure)


NETWORKS = (
    Claim(
        "the more decay, the slower the fully connected network sharpens",
        _ABSTRACT,
        _of("MLP", DECAYS["MLP"], order(_early)),
        AtMost(-0.99),
    ),
    Claim(
        "the more decay, the slower the convolutional network sharpens",
        _ABSTRACT,
        _of("CNN", DECAYS["CNN"], order(_early)),
        AtMost(-0.99),
    ),
    Claim(
        "with little decay the fully connected network settles at its edge",
        _MECHANISM,
        _of("MLP", _WEAK, farthest(_edge_ratio)),
        Within(0.05),
    ),
    Claim(
        "with more of it it settles well below",
        _ABSTRACT,
        _of("MLP", _STRONG, largest(_edge_ratio)),
        AtMost(0.9),
        counter=Claim(
            "it settles at its edge, lowered by the decay",
            _ABSTRACT,
            _of("MLP", _STRONG, largest(_edge_ratio)),
            Within(0.05),
        ),
    ),
    Claim(
        "it does so where the decay takes from the sharpness what the data give",
        _MECHANISM,
        _of("MLP", _STRONG, farthest(_balance)),
        Within(0.1),
    ),
    Claim(
        "decay damps the oscillation of the convolutional network at its edge",
        _ABSTRACT,
        _of("CNN", DECAYS["CNN"], order(_overshoot)),
        AtMost(-0.99),
    ),
    Claim(
        "the parameters are less aligned with the sharpness gradient in the convolutional network",
        _MECHANISM,
        lambda runs: _cosine("CNN")(runs) / _cosine("MLP")(runs),
        AtMost(1.0),
    ),
)
