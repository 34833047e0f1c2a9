"""What is measured: of starts, of slides along the line, of ways down to it, of networks."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgewise.claims import Measure, Runs, among, exponent, largest, only, smallest
from edgewise.gallery.arora2022understanding.toys import QUADRATIC_LR, SPECTRUM

Reals = NDArray[np.float64]


def _norms(runs: Runs) -> tuple[Reals, Reals]:
    """‖A x‖ of the last step but one and of the last, for the starts with a top component."""
    g = runs["starts"]["gradient"].values[-2:, :-1]
    first, second = np.linalg.norm(g, axis=-1)
    return first, second


def alignment(runs: Runs) -> float:
    """The cosine between gradient and top eigenvector at the end, of the start where it is least."""
    g = runs["starts"]["gradient"].values[-1, :-1]
    return float((np.abs(g[:, 0]) / np.linalg.norm(g, axis=-1)).min())


def norm_sum(runs: Runs) -> float:
    """(‖∇L‖ + ‖∇L′‖) ÷ ηλ₁ at the end, of the start where it is farthest from one."""
    first, second = _norms(runs)
    ratio = (first + second) / (QUADRATIC_LR * SPECTRUM[0])
    return float(max(ratio, key=lambda value: abs(value - 1)))


def half(runs: Runs) -> float:
    """‖∇L‖ ÷ ½ηλ₁ at the end, of the start where it is farthest from one."""
    ratio = _norms(runs)[0] / (QUADRATIC_LR * SPECTRUM[0] / 2)
    return float(max(ratio, key=lambda value: abs(value - 1)))


def two_steps(runs: Runs) -> float:
    """The largest distance between the last iterate and the last but two."""
    x = runs["starts"]["x"].values
    return float(np.linalg.norm(x[-1] - x[-3], axis=-1).max())


def blind_sum(runs: Runs) -> float:
    """The same sum from the start without a top component, ÷ ηλ₂."""
    g = runs["starts"]["gradient"].values[-2:, -1]
    return float(np.linalg.norm(g, axis=-1).sum() / (QUADRATIC_LR * SPECTRUM[1]))


def _inside(runs: Runs) -> NDArray[np.bool_]:
    """By j, step and start, whether Σ_{i ≥ j} ⟨vᵢ, A x⟩² ≤ λⱼ² η²."""
    squares = runs["starts"]["gradient"].values[:, :-1] ** 2
    tails = squares[..., ::-1].cumsum(-1)[..., ::-1]
    return np.moveaxis(tails <= (np.array(SPECTRUM) * QUADRATIC_LR) ** 2, -1, 0)


def left(runs: Runs) -> float:
    """How often one of the sets is left again."""
    inside = _inside(runs)
    return float((inside[:, :-1] & ~inside[:, 1:]).sum())


def entered(runs: Runs) -> float:
    """The share of sets and starts that are inside at the end."""
    return float(_inside(runs)[:, -1].mean())


def every(method: str, measure: Measure) -> Measure:
    """The largest of a measure over the runs of a method."""
    return among(lambda name: name.startswith(method), largest(measure))


def least(method: str, measure: Measure) -> Measure:
    """The smallest of a measure over the runs of a method."""
    return among(lambda name: name.startswith(method), smallest(measure))


def shrinks(method: str, measure: Measure) -> Measure:
    """The power of η with which a measure shrinks."""
    return among(lambda name: name.startswith(method), exponent(measure, _lr))


def _lr(runs: Runs) -> float:
    return float(only(runs)["lr"])


def end(runs: Runs) -> float:
    """The last x."""
    return float(only(runs)["x"][-1])


def apart(runs: Runs) -> float:
    """How far it is from its limiting flow, where it is farthest."""
    return float(np.abs(only(runs)["x"] - only(runs)["flow"]).max())


def _apart_at_end(runs: Runs) -> float:
    return float(np.abs(only(runs)["x"][-1] - only(runs)["flow"][-1]))


def other(runs: Runs) -> float:
    """How far it ends from the flow of the other method."""
    return float(np.abs(only(runs)["x"][-1] - only(runs)["other_flow"][-1]))


def gain(method: str) -> Measure:
    """By how much the error at the end shrinks as the step size is halved, where that is least."""

    def measure(runs: Runs) -> float:
        errors = [_apart_at_end({name: run}) for name, run in runs.items() if name.startswith(method)]
        return min(one / half for one, half in pairwise(errors))

    return measure


def balance(runs: Runs) -> float:
    """The largest |1/S + 1/S′ − 1|."""
    inverse = 1 / only(runs)["stableness"].values
    return float(np.abs(inverse[1:] + inverse[:-1] - 1).max())


def root_sum(runs: Runs) -> float:
    """The largest |(√L + √L′) ÷ its prediction − 1|."""
    return float(np.abs(only(runs)["root_sum"] - 1).max())


def unstable(runs: Runs) -> float:
    """The share of pairs of steps of which one at least is unstable, S ≥ 2 − 0.05."""
    s = only(runs)["stableness"].values
    return float((np.maximum(s[1:], s[:-1]) >= 1.95).mean())


def steady(runs: Runs) -> float:
    """The share of steps on which S itself is at 2, within 0.05."""
    return float((np.abs(only(runs)["stableness"].values - 2) <= 0.05).mean())


def period(gap: int) -> Measure:
    """The median of |Lₜ − Lₜ₊gap| ÷ the larger of the two."""

    def measure(runs: Runs) -> float:
        loss = only(runs)["loss"].values
        return float(np.median(np.abs(loss[gap:] - loss[:-gap]) / np.maximum(loss[gap:], loss[:-gap])))

    return measure


def per_lr(measure: Measure) -> Measure:
    """A measure ÷ η."""
    return lambda runs: measure(runs) / _lr(runs)


def steps(phase: str) -> Measure:
    """How long a phase is."""
    return lambda runs: float(only(runs)[f"phase_{phase}"])


def landing(runs: Runs) -> float:
    """How far from the limit of the gradient flow it comes down."""
    return float(np.abs(only(runs)["landing"] - only(runs)["gradient_flow_limit"]))


def height(bound: Callable[[float, float], float]) -> Measure:
    """The largest loss of the second phase ÷ a bound, which depends on η and the sharpness at the landing."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        return float(run["largest_loss"]) / bound(_lr(runs), 1 + float(run["landing"]) ** 2)

    return measure


def fit(rate: str) -> Measure:
    """The least-squares factor between the measured dλ₁/dτ, reading by reading, and a predicted one."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        measured = np.diff(run["sharpness"].values) / np.diff(run["tau"].values)
        predicted = (run[rate].values[1:] + run[rate].values[:-1]) / 2
        return float(measured @ predicted / (predicted @ predicted))

    return measure


def fall(runs: Runs) -> float:
    """The last sharpness ÷ the first one."""
    values = only(runs)["sharpness"].values
    return float(values[-1] / values[0])


def largest_loss(bound: Callable[[float, float], float]) -> Measure:
    """The largest loss ÷ the bound at the first sharpness read, which is the largest one."""

    def measure(runs: Runs) -> float:
        run = only(runs)
        return float(run["loss"].max()) / bound(_lr(runs), float(run["sharpness"][0]))

    return measure


def two_roots(runs: Runs) -> float:
    """The median of (√L + √L′) ÷ its prediction."""
    return float(np.median(only(runs)["root_sum"]))


def gap(runs: Runs) -> float:
    """The largest λ₂ ÷ λ₁."""
    run = only(runs)
    return float((run["second"] / run["sharpness"]).max())


def flatness(runs: Runs) -> float:
    """The median of ‖H t‖ ÷ λ₁‖t‖ for the projected slope t = P∇λ₁."""
    return float(np.median(only(runs)["flatness"]))


def _normalized_bound(lr: float, top: float) -> float:
    """η²λ₁/2: one half of the period of two is nothing, the other the whole step."""
    return lr**2 * top / 2


def _sqrt_bound(lr: float, top: float) -> float:
    """(ηλ₁/2)², likewise."""
    return (lr * top / 2) ** 2


BOUNDS = {"normalized": _normalized_bound, "sqrt_loss": _sqrt_bound}
