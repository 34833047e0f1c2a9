"""Momentum with batches: a mode whose curvature differs from batch to batch, and a network.

The mode is a feature that a share p of the samples has, all with the curvature h: a batch of b of them has the
curvature h k/b with k binomial, and heavy ball on it, w'' = (1 + β − ηh_B) w' − β w, is stable in mean square
while the spectral radius of E[J ⊗ J] is below one. In closed form (m₁ and m₂ are the first two moments of ηh_B)

    m₂/m₁ < 2(1 − β) + 2β m₁/(1 + β).
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.dynamics import BatchSharpness, Loss, Sharpness
from edgewise.methods import SGD
from edgewise.problems import digits_mlp
from edgewise.reproduction import Computation, Descent, Experiment, Scale

Reals = NDArray[np.float64]

BETAS = (0.5, 0.8, 0.9)
SHARE = 0.01
# Batches of one, of about one with the feature, and so large that they all see the same.
SIZES = tuple(int(size) for size in np.unique(np.round(np.geomspace(1, 1e7, 29))))

SMALL, MILD, LARGE = "β = 0.9, batches of 1", "β = 0.5, batches of 1", "β = 0.5, all data"
MOMENTA = {SMALL: 0.9, MILD: 0.5, LARGE: 0.5}


def mode(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Where the mode loses stability, by β and batch size."""
    return {"mode": Computation(thresholds, {})}


def network(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Momentum in the smallest batches and with all data, at step sizes that put the edges in reach."""
    few, many = (digits_mlp(n=n, widths=(32, 32), seed=seed) for n in (40, 300))
    # The problem, η, the batch size, the steps and how often is read.
    settings = {
        SMALL: (few, 0.2 / 12, 1, 1500, 100),
        MILD: (few, 1.0 / 9, 1, 1500, 100),
        LARGE: (many, 3.0 / 13.5, 300, 400, 13),
    }
    return {
        name: Descent(
            processes={"sgd": SGD(step_size, batch, momentum=MOMENTA[name])},
            problem=problem,
            steps=steps,
            probes=(
                Loss(every=every),
                BatchSharpness(batch, rtol=0.05, max_batches=150, every=every),
                Sharpness(every=every, rtol=1e-2),
            ),
        )
        for name, (problem, step_size, batch, steps, every) in settings.items()
    }


def thresholds() -> xr.Dataset:
    """η times batch sharpness and the curvature of the mean where the mode is at the edge of the closed form."""
    shape = (len(BETAS), len(SIZES))
    outside, inside, mean, radius = (np.empty(shape) for _ in range(4))
    for i, beta in enumerate(BETAS):
        for j, size in enumerate(SIZES):
            h = critical(beta, size)
            m1, m2, m3 = (h**power * moment(size, power) for power in (1, 2, 3))
            outside[i, j], mean[i, j] = m3 / m2, m1
            inside[i, j] = m1 / -np.expm1(size * np.log1p(-SHARE))
            radius[i, j] = mean_square_radius(beta, m1, m2)
    return xr.Dataset(
        {
            "outside": (("beta", "size"), outside),
            "batch_sharpness": (("beta", "size"), inside),
            "sharpness": (("beta", "size"), mean),
            "radius": (("beta", "size"), radius),
        },
        coords={"beta": list(BETAS), "size": list(SIZES)},
    )


def critical(beta: float, size: int) -> float:
    """ηh at which the mode is at the edge, by the closed form."""
    first, second = moment(size, 1), moment(size, 2)
    return 2 * (1 - beta) / (second / first - 2 * beta * first / (1 + beta))


def moment(size: int, power: int) -> float:
    """E[(k/b)^power] of a binomial k of b."""
    p = SHARE
    factorial = [1.0, size * p, size * (size - 1) * p**2, size * (size - 1) * (size - 2) * p**3]
    stirling = {1: (0, 1), 2: (0, 1, 1), 3: (0, 1, 3, 1)}[power]
    return sum(number * each for number, each in zip(stirling, factorial, strict=False)) / float(size) ** power


def mean_square_radius(beta: float, m1: float, m2: float) -> float:
    """The spectral radius of E[J ⊗ J], of (w'², w'w, w²) → the next, J = [[1 + β − ηh, −β], [1, 0]]."""
    a = 1 + beta
    square = a**2 - 2 * a * m1 + m2
    update = np.array([[square, -2 * beta * (a - m1), beta**2], [a - m1, -beta, 0.0], [1.0, 0.0, 0.0]])
    return float(np.abs(np.linalg.eigvals(update)).max())
