"""Where one phase gives way to the next, and that a network goes through the same ones."""

import math

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, of, only
from edgewise.foundation import EvidenceError
from edgewise.gallery.chen2023stability.recipe import CHAOTIC, MONOTONE, PERIODIC

_SOURCE = "chen2023stability, Theorem 1"
# The sweep goes in steps of 0.002; a boundary is known to two of them.
_GRID = 0.004
_FEIGENBAUM = 4.669201609
_ACCUMULATION = 1.3022837


def _first(runs: Runs, what: str, holds: xr.DataArray) -> float:
    a = only(runs)["a"].values[np.asarray(holds.values, dtype=bool)]
    if not a.size:
        raise EvidenceError(f"the first a with {what}", "there is none in the sweep", "Sweep further")
    return float(a[0])


def _rising(runs: Runs) -> float:
    return _first(runs, "a loss that rises", only(runs)["rises"] > 0)


def _oscillating(runs: Runs) -> float:
    return _first(runs, "a residual that stays", only(runs)["amplitude"] > 1e-2)


def _four(runs: Runs) -> float:
    """Where the cycle of two steps is left."""
    orbit = only(runs)["orbit"]
    apart = np.abs(orbit.values[2:] - orbit.values[:-2]).max(0)
    calm = only(runs)["a"] > 1 + _GRID
    return _first(runs, "a longer cycle", calm & (xr.DataArray(apart, dims="a") > 1e-3))


def _chaotic(runs: Runs) -> float:
    return _first(runs, "a positive Lyapunov exponent", only(runs)["exponent"] > 0.01)


def _escaping(runs: Runs) -> float:
    return _first(runs, "most starts escaping", only(runs)["escaped"] > 0.5)


def _escaped_before(runs: Runs) -> float:
    run = only(runs)
    return float(run["escaped"].sel(a=run["a"] < 2 - 1e-9).max())


def _exponent_at_two(runs: Runs) -> float:
    return float(only(runs)["exponent"].sel(a=2.0, method="nearest"))


def _ratio(runs: Runs) -> float:
    a = only(runs)["a"].values
    return float((a[-2] - a[-3]) / (a[-1] - a[-2]))


def _accumulation(runs: Runs) -> float:
    a = only(runs)["a"].values
    return float(a[-1] + (a[-1] - a[-2]) / (_FEIGENBAUM - 1))


def _averaged(runs: Runs) -> float:
    """⟨z⟩² ÷ ⟨z²⟩ on the cycle of two steps, as a multiple of (a − 1)/(2(a + 1)); the farthest from 1."""
    run = only(runs)
    inside = run.sel(a=(run["a"] > 1.05) & (run["a"] < 1.2))
    z, a = inside["orbit"].values[1:], inside["a"].values
    effect = z.mean(0) ** 2 / (z**2).mean(0) / ((a - 1) / (2 * (a + 1)))
    return float(effect[np.argmax(np.abs(effect - 1))])


BIFURCATION = (
    Claim("the loss of some start rises from 2√2 − 2 on", _SOURCE, of("sweep", _rising),
          Within(_GRID, of=2 * math.sqrt(2) - 2)),
    Claim("gradient descent converges from almost every start up to 1, and oscillates from there on", _SOURCE,
          of("sweep", _oscillating), Within(_GRID, of=1.0)),
    Claim("the cycle of two steps doubles at √5 − 1", _SOURCE, of("sweep", _four),
          Within(_GRID, of=math.sqrt(5) - 1)),
    Claim("the cycles double at Feigenbaum's rate", _SOURCE, of("doublings", _ratio),
          Within(0.001, of=_FEIGENBAUM, relative=True)),
    Claim("their doublings accumulate where the Lyapunov exponent becomes positive", _SOURCE,
          of("doublings", _accumulation), Within(1e-6, of=_ACCUMULATION),
          counter=Claim("the exponent is positive as soon as it oscillates", _SOURCE, of("sweep", _chaotic),
                        AtMost(1.1))),
    Claim("chaos begins there", _SOURCE, of("sweep", _chaotic), Within(3 * _GRID, of=_ACCUMULATION)),
    Claim("the exponent at the end of the chaotic phase is that of a Chebyshev polynomial", _SOURCE,
          of("sweep", _exponent_at_two), Within(0.02, of=math.log(3), relative=True)),
    Claim("it diverges past 2", _SOURCE, of("sweep", _escaping), Within(_GRID, of=2.0)),
    Claim("and nowhere before", _SOURCE, of("sweep", _escaped_before), Within(0.0, of=0.0)),
    Claim("predictions averaged over the cycle err by less than the iterates", "chen2023stability, Section 4",
          of("sweep", _averaged), Within(1e-9, of=1.0)),
)  # fmt: skip


def _miss(runs: Runs) -> float:
    return float(only(runs)["miss"].max())


def _end(sample: float, low: bool) -> Measure:
    def measure(runs: Runs) -> float:
        end = np.abs(only(runs)["z"].sel(sample=sample).values[-50:])
        return float(end.min() if low else end.max())

    return measure


def _two(runs: Runs) -> float:
    """|zₜ₊₂ − zₜ| of the sample with a = 1.15, at the end."""
    z = only(runs)["z"].sel(sample=1.15).values
    return float(abs(z[-1] - z[-3]))


def _phases(runs: Runs) -> float:
    return float(len(np.unique(only(runs)["phase"].values)))


def _disorder(runs: Runs) -> float:
    """The share of neighbouring step sizes at which the phase steps back; periods within chaos aside."""
    phase = only(runs)["phase"].values
    merged = np.where(phase == CHAOTIC, PERIODIC, phase)
    return float((np.diff(merged) < 0).mean())


def _chaos_after_period(runs: Runs) -> float:
    run = only(runs)
    size, phase = run["step_size"].values, run["phase"].values
    if MONOTONE not in phase or PERIODIC not in phase or CHAOTIC not in phase:
        raise EvidenceError("periodic before chaotic", "one of the two does not occur", "Try more step sizes")
    return float(size[phase == CHAOTIC][0] / size[phase == PERIODIC][0])


NETWORK = (
    Claim("on orthogonal samples every residual follows the cubic map of its own", "chen2023stability, Section 3",
          of("orthogonal", _miss), AtMost(1e-12)),
    Claim("samples of one network are in different phases: one has converged", "chen2023stability, Section 3",
          of("orthogonal", _end(0.5, low=False)), AtMost(1e-12)),
    Claim("another repeats every two steps", "chen2023stability, Section 3", of("orthogonal", _two), AtMost(1e-9),
          counter=Claim("because it has converged", "chen2023stability, Section 3",
                        of("orthogonal", _end(1.15, low=True)), AtMost(1e-3))),
    Claim("with samples that are not orthogonal all five phases occur", "chen2023stability, Section 5",
          of("generic", _phases), Within(0, of=5), seeds=3),
    Claim("in the same order", "chen2023stability, Section 5", of("generic", _disorder), Within(0, of=0),
          seeds=3),
    Claim("chaos comes after the first periods", "chen2023stability, Section 5",
          of("generic", _chaos_after_period), AtLeast(1.0), seeds=3),
)  # fmt: skip
