"""The ReLU network on sparse coding data, by gradient descent for many step sizes at once.

    x = λ y eⱼ + ξ,  y = ±1,  j uniform,  ξ normal;   f(x) = a⁻ Σᵢ max(−xᵢ + b, 0) + a⁺ Σᵢ max(xᵢ + b, 0)

All coordinates share one bias, so f asks of the data only how many entries of a sample lie beyond ∓b, and for
their sum. Both are kept, and change only when the bias passes an entry: a step costs n numbers instead of n d.
"""

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed

Reals = NDArray[np.float64]

WIDTH, SAMPLES, SIGNAL, TIME = 200, 300, 3.0, 10.0
"""d, n, λ and the total time η × steps."""

MEASURED = 4000
"""How many samples the accuracy is measured on."""

THRESHOLD = 8 * math.pi / WIDTH**2


def train(ratios: tuple[float, ...], measured: int, seed: int) -> xr.Dataset:
    """Bias, output weights, loss and test accuracy at the end, by step size in units of 8π/d²."""
    rng = np.random.default_rng(derive_seed(seed, "ahn2022learning"))
    x, y = sparse_coding(rng, SAMPLES)
    start = rng.normal(0.0, math.sqrt(1 / (2 * WIDTH)), 2)
    test_x, test_y = sparse_coding(rng, measured)
    eta = np.array(ratios) * THRESHOLD
    a, b = descend(x, y, start, eta, np.rint(TIME / eta).astype(int))
    accuracy = [float(np.mean(np.sign(output(test_x, *one)) == test_y)) for one in zip(*a, b, strict=True)]
    losses = [float(np.logaddexp(0, -y * output(x, *one)).mean()) for one in zip(*a, b, strict=True)]
    return xr.Dataset(
        {
            "bias": ("ratio", b),
            "accuracy": ("ratio", accuracy),
            "loss": ("ratio", losses),
            "a": (("sign", "ratio"), a),
        },
        coords={"ratio": list(ratios), "sign": [-1, 1]},
    )


def sparse_coding(rng: np.random.Generator, n: int) -> tuple[Reals, Reals]:
    """Samples and labels."""
    y = rng.choice([-1.0, 1.0], n)
    x = rng.standard_normal((n, WIDTH))
    x[np.arange(n), rng.integers(0, WIDTH, n)] += SIGNAL * y
    return x, y


def output(x: Reals, a_minus: float, a_plus: float, b: float) -> Reals:
    """f of every sample."""
    return np.asarray(a_minus * np.maximum(-x + b, 0).sum(1) + a_plus * np.maximum(x + b, 0).sum(1))


def descend(x: Reals, y: Reals, start: Reals, eta: Reals, steps: NDArray[np.int_]) -> tuple[Reals, Reals]:
    """Gradient descent on the mean logistic loss from a⁻, a⁺ = start and b = 0.

    Args:
        x: samples × coordinates.
        y: labels.
        start: the output weights.
        eta: step sizes, ascending.
        steps: how many of each, descending.

    Returns:
        The output weights (sign × step size) and the bias (step size).
    """
    a, b = np.repeat(start[:, None], len(eta), axis=1), np.zeros(len(eta))
    upper, lower = _Beyond(x, len(eta)), _Beyond(-x, len(eta))
    for t in range(int(steps.max())):
        go = int((steps > t).sum())  # those of the larger step sizes are there already
        plus, plus_count = upper.at(b[:go])
        minus, minus_count = lower.at(b[:go])
        f = a[0, :go, None] * minus + a[1, :go, None] * plus
        force = -y / (1 + np.exp(y * f)) * (eta[:go, None] / len(y))
        db = (force * (a[0, :go, None] * minus_count + a[1, :go, None] * plus_count)).sum(1)
        a[0, :go] -= (force * minus).sum(1)
        a[1, :go] -= (force * plus).sum(1)
        b[:go] -= db
    return a, b


class _Beyond:
    """Σᵢ max(xᵢ + b, 0) of every sample for a slowly changing b, a row for each of several."""

    def __init__(self, x: Reals, rows: int) -> None:
        entries = np.sort(-x, axis=None)
        self._samples = np.argsort(-x, axis=None, kind="stable") // x.shape[1]
        self._entries = entries
        self._passed = np.full(rows, np.searchsorted(entries, 0.0))
        self._count = np.repeat((x > 0).sum(1)[None].astype(np.float64), rows, axis=0)
        self._total = np.repeat(np.maximum(x, 0).sum(1)[None], rows, axis=0)

    def at(self, b: Reals) -> tuple[Reals, Reals]:
        """The sums, and how many entries are in them, for the first rows."""
        passed = np.searchsorted(self._entries, b)
        for row in np.flatnonzero(passed != self._passed[: len(b)]):
            was, now = self._passed[row], passed[row]
            met = slice(min(was, now), max(was, now))
            sign = 1.0 if now > was else -1.0
            np.add.at(self._count[row], self._samples[met], sign)
            np.add.at(self._total[row], self._samples[met], -sign * self._entries[met])
            self._passed[row] = now
        return self._total[: len(b)] + self._count[: len(b)] * b[:, None], self._count[: len(b)]
