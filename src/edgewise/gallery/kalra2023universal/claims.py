"""An exact recursion, in which sharpness falls, rises, is catapulted, or oscillates at the edge up to chaos."""

import math

import numpy as np
import xarray as xr

from edgewise.claims import AtLeast, AtMost, Claim, Measure, Runs, Within, of, only
from edgewise.foundation import EvidenceError

_SOURCE = "kalra2023universal, Section 3"


def _largest(name: str) -> Measure:
    return lambda runs: float(only(runs)[name].values.max())


RECURSION = (
    Claim("the output of the network follows the recursion", _SOURCE, of("networks", _largest("f")),
          AtMost(1e-12)),
    Claim("so does λ", _SOURCE, of("networks", _largest("lam")), AtMost(1e-12)),
    Claim("what is not balanced is multiplied by (1 − c²)²", _SOURCE, of("networks", _largest("balance")),
          AtMost(1e-12)),
)  # fmt: skip


def _turn(runs: Runs) -> float:
    """The step at which λ is smallest less that at which f changes its sign."""
    run = only(runs)
    lowest = int(run["lam"].values.argmin())
    if lowest in (0, run.sizes["step"] - 1):
        raise EvidenceError("the turn of λ", "it only falls, or only rises", "Start with f and y of unlike signs")
    crossing = int(np.flatnonzero(np.sign(run["f"].values) == np.sign(run.attrs["label"]))[0])
    return float(lowest - crossing)


def _fall(runs: Runs) -> float:
    """The smallest λ ÷ the first one."""
    run = only(runs)
    return float(run["lam"].min() / run["lam"][0])


def _balanced(runs: Runs) -> float:
    """λ at the end ÷ 2y/√n, the flattest minimum's."""
    run = only(runs)
    return float(run["lam"][-1] / (2 * run.attrs["label"] / math.sqrt(run.attrs["width"])))


def _rising(runs: Runs) -> float:
    """The share of steps in which λ rises."""
    return float((np.diff(only(runs)["lam"].values) > 0).mean())


def _end_edge(runs: Runs) -> float:
    run = only(runs)
    return float(run.attrs["step_size"] * run["lam"][-1])


def _peak(runs: Runs) -> float:
    """The largest loss ÷ the first one."""
    run = only(runs)
    loss = (run["f"] - run.attrs["label"]) ** 2
    return float(loss.max() / loss[0])


def _mean_edge(runs: Runs) -> float:
    """ηλ, averaged over the last two steps."""
    run = only(runs)
    return float(run.attrs["step_size"] * run["lam"][-2:].mean())


def _two(runs: Runs) -> float:
    """|fₜ₊₂ − fₜ| ÷ |fₜ₊₁ − fₜ| at the end."""
    f = only(runs)["f"].values
    return float(abs(f[-1] - f[-3]) / abs(f[-1] - f[-2]))


_FIGURE1 = "kalra2023universal, Figure 1"
REGIMES = (
    Claim("λ falls first", _FIGURE1, of("sharpness reduction, then sharpening", _fall), AtMost(0.9)),
    Claim("until f comes to the side of the label, and rises from there on", _FIGURE1,
          of("sharpness reduction, then sharpening", _turn), Within(1, of=0)),
    Claim("from a small start λ rises all the way", _FIGURE1, of("progressive sharpening", _rising),
          AtLeast(0.95)),
    Claim("to the sharpness of the flattest minimum", _FIGURE1, of("progressive sharpening", _balanced),
          Within(0.01)),
    Claim("past the edge the loss is catapulted", _FIGURE1, of("catapult", _peak), AtLeast(2.0)),
    Claim("to a minimum below the edge", _FIGURE1, of("catapult", _end_edge), AtMost(2.0)),
    Claim("where no minimum is stable, λ oscillates about (1 + a)/η", _FIGURE1,
          of("edge of stability", _mean_edge), Within(1e-9, of=2.1),
          counter=Claim("it settles at 2/η", _FIGURE1, of("edge of stability", _mean_edge), Within(0.02, of=2.0))),
    Claim("with f repeating every two steps", _FIGURE1, of("edge of stability", _two), AtMost(1e-9)),
)  # fmt: skip


# The sweeps go in these steps; a boundary is known to two of them.
_STEP, _GRID = 0.05, 0.002


def _first(runs: Runs, along: str, what: str, holds: xr.DataArray) -> float:
    found = only(runs)[along].values[np.asarray(holds.values, dtype=bool)]
    if not found.size:
        raise EvidenceError(f"the first {along} with {what}", "there is none in the sweep", "Sweep further")
    return float(found[0])


def _loss_rises(runs: Runs) -> float:
    return _first(runs, "edge", "a rising loss", only(runs)["rises"].mean("start") > 0.5)


def _diverges(runs: Runs) -> float:
    return _first(runs, "edge", "divergence", only(runs)["converged"].mean("start") < 0.5)


def _caught(runs: Runs) -> float:
    """The largest ηλ in which a catapult ends."""
    run = only(runs)
    return float(run["end"].where(run["rises"] > 0).max())


def _kept(runs: Runs) -> float:
    """The smallest λ ÷ the first one, up to three quarters of the edge."""
    run = only(runs)
    return float((run["end"] / run["edge"]).where(run["edge"] <= 1.5).min())


CATAPULT = (
    Claim("the loss rises from the edge on", _SOURCE, of("sweep", _loss_rises), Within(2 * _STEP, of=2.0)),
    Claim("it converges all the same, up to about twice the edge", _SOURCE, of("sweep", _diverges),
          Within(0.05, of=4.0, relative=True)),
    Claim("where it has risen, it ends below the edge", _SOURCE, of("sweep", _caught), AtMost(2.0)),
    Claim("well below the edge λ stays nearly what it was", _SOURCE, of("sweep", _kept), AtLeast(0.95)),
)  # fmt: skip

_CHAOS = "kalra2023universal, Section 5"


def _oscillates(runs: Runs) -> float:
    run = only(runs)
    stays = np.abs(run["c"].values).max(0) > 1e-2
    return _first(runs, "a", "an oscillation that stays", xr.DataArray(stays, dims="a"))


def _doubles(runs: Runs) -> float:
    run = only(runs)
    apart = np.abs(run["c"].values[2:] - run["c"].values[:-2]).max(0)
    return _first(runs, "a", "a longer cycle", (run["a"] > 1 + 2 * _GRID) & (xr.DataArray(apart, dims="a") > 1e-3))


def _chaotic(runs: Runs) -> float:
    return _first(runs, "a", "a positive Lyapunov exponent", only(runs)["exponent"] > 0.01)


def _from_manifold(runs: Runs) -> float:
    """The largest |ℓ − 2|c + a|| of what oscillates and has not escaped."""
    run = only(runs)
    gap = np.abs((run["edge"] - 2 * np.abs((run["c"] + run["a"]).values)).values)
    return float(np.nanmax(gap[:, run["a"].values > 1.05]))


def _means(runs: Runs) -> float:
    """⟨ℓ⟩ less 1 + a on the cycle of two steps, largest."""
    run = only(runs)
    cycle = run.sel(a=(run["a"] > 1.05) & (run["a"] < 1.2))
    return float(np.abs((cycle["edge"].mean("kept") - 1 - cycle["a"]).values).max())


def _bounded(runs: Runs) -> float:
    """The largest a at which most starts stay."""
    run = only(runs)
    return float(run["a"].values[np.asarray(run["escaped"] < 0.5)][-1])


CHAOS = (
    Claim("past ηy/√n = 1 no start converges", _CHAOS, of("sweep", _oscillates), Within(2 * _GRID, of=1.0)),
    Claim("what oscillates has become balanced", _CHAOS, of("sweep", _from_manifold), AtMost(1e-9)),
    Claim("on the cycle of two steps ηλ averages to 1 + a", _CHAOS, of("sweep", _means), AtMost(1e-9)),
    Claim("the cycle doubles at √5 − 1", _CHAOS, of("sweep", _doubles), Within(2 * _GRID, of=math.sqrt(5) - 1)),
    Claim("and doubles on, to chaos at 1.3023", _CHAOS, of("sweep", _chaotic), Within(6 * _GRID, of=1.3022837),
          counter=Claim("it is chaotic as soon as it oscillates", _CHAOS, of("sweep", _chaotic), AtMost(1.1))),
    Claim("nothing stays past 2", _CHAOS, of("sweep", _bounded), AtMost(2.0)),
)  # fmt: skip
