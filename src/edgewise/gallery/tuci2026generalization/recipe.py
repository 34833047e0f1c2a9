"""SGD over a grid of step sizes and batch sizes, and the sharpness dimension of where it ends up.

With σ₁ ≥ … ≥ σ_d the singular values of the update I − ηH_B(w) of a batch B, at points w that SGD visits,

    λ_k = E_B[ max over w of ln σ_k ],    SD = j + (λ₁ + … + λ_j) / |λ_{j+1}|,

j the last index up to which the sum is not negative: as many directions as expand and contract in balance.
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from edgewise.foundation import derive_seed
from edgewise.linalg import Function, spectral_density
from edgewise.objectives import Point
from edgewise.problems import digits_mlp
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

STEP_SIZES, BATCH_SIZES = (0.05, 0.1, 0.2), (5, 20)
_WIDTH, _TRAINED, _HELD_OUT, _STEPS = 3, 100, 500, 500
# Points of the attractor, and batches of which the spectra are taken at each.
_POINTS, _APART, _BATCHES = 2, 20, 2
# Of the quadrature.
_PROBES, _DEPTH = 10, 40


def grid(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """SGD by step size and batch size."""
    return {
        f"η = {eta:g}, b = {size}": Computation(attractor, {"step_size": eta, "batch_size": size, "seed": seed})
        for eta in STEP_SIZES
        for size in BATCH_SIZES
    }


def attractor(step_size: float, batch_size: int, seed: int) -> xr.Dataset:
    """The expansion rates λ_k by exact spectra and by quadrature, and the losses, at the end of a run.

    Args:
        step_size: η.
        batch_size: samples of a step, and of a Hessian.
        seed: of the start and of the batches.
    """
    problem = digits_mlp(n=_TRAINED + _HELD_OUT, widths=(_WIDTH,), seed=seed, dtype=torch.float64)
    objective = problem.objective()
    rng = np.random.default_rng(derive_seed(seed, "tuci2026generalization"))
    trained, held_out = torch.arange(_TRAINED), torch.arange(_TRAINED, _TRAINED + _HELD_OUT)
    judged = [torch.from_numpy(rng.choice(_TRAINED, batch_size, replace=False)) for _ in range(_BATCHES)]
    w = objective.start
    exact, quadrature, losses = [], [], []
    for t in range(_STEPS + 1):
        left = _STEPS - t
        if left % _APART == 0 and left < _POINTS * _APART:
            losses.append([float(objective.batch_at(w, part).value) for part in (trained, held_out)])
            spectra = [_spectra(objective.batch_at(w, each, products=True), step_size) for each in judged]
            exact.append([one for one, _ in spectra])
            quadrature.append([two for _, two in spectra])
        batch = torch.from_numpy(rng.choice(_TRAINED, batch_size, replace=False))
        w = w - step_size * objective.batch_at(w, batch).gradient
    train, test = np.mean(losses, 0)
    rates = [np.max(np.log(each), axis=0).mean(axis=0) for each in (np.array(exact), np.array(quadrature))]
    return xr.Dataset(
        {
            "rate": ("index", rates[0]),
            "quadrature_rate": ("index", rates[1]),
            "dimension": sharpness_dimension(rates[0]),
            "quadrature_dimension": sharpness_dimension(rates[1]),
            "training_loss": float(train),
            "test_loss": float(test),
            "step_size": step_size,
            "batch_size": batch_size,
        }
    )


def sharpness_dimension(rates: Reals) -> float:
    """SD of rates in descending order: 0 if none is positive, d if they never add up to less than zero."""
    sums = np.cumsum(rates)
    if rates[0] < 0:
        return 0.0
    if sums[-1] >= 0:
        return float(len(rates))
    j = int(np.flatnonzero(sums >= 0)[-1])
    return float(j + 1 + sums[j] / abs(rates[j + 1]))


def quantiles(nodes: Reals, weights: Reals, size: int) -> Reals:
    """As many singular values as the density has eigenvalues: one for each equal part of its mass, descending."""
    order = np.argsort(-nodes)
    mass = np.cumsum(weights[order]) * size / weights.sum()
    places = np.searchsorted(mass, np.arange(size) + 0.5)
    return np.asarray(nodes[order][np.minimum(places, len(nodes) - 1)])


def _spectra(point: Point, step_size: float) -> tuple[Reals, Reals]:
    """Singular values of I − ηH by the whole spectrum, and by stochastic Lanczos quadrature."""
    size = point.w.shape[0]
    hessian = point.hvp_block(torch.eye(size, dtype=point.w.dtype))
    hessian = (hessian + hessian.T) / 2
    density = spectral_density(
        Function(lambda v: hessian @ v, size, point.w.dtype, point.w.device), _PROBES, _DEPTH
    )
    exact = np.sort(np.abs(1 - step_size * np.linalg.eigvalsh(hessian.numpy())))[::-1]
    nodes = np.abs(1 - step_size * density.nodes.numpy().ravel())
    return exact, quantiles(nodes, density.weights.numpy().ravel(), size)
