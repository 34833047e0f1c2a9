"""How non-normal the linearised updates are: of a mode under momentum, and of a small network under Adam.

The update of a mode is its companion matrix J. That of a network under Adam without momentum (β₁ = 0), its second
moments held, is I − ηP⁻¹H, whose eigenvectors are P^(-1/2) Q with Q orthogonal.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from edgewise.methods import Adam, HeavyBall, Transient
from edgewise.problems import Problem, digits_mlp
from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

BETA = 0.9
# η times the curvature, on both sides of the exceptional points (1 ∓ √β)² and of the edge 2 + 2β.
_REST = (0.01, 0.1, 0.3, 1.0, 2.0, 3.0, 3.7, 3.79, 3.81, 3.9, 4.5, 5.5)
_NEAR = (1e-1, 1e-2, 1e-4, 1e-6)

STEP_SIZES = {"stable": 1e-3, "unstable": 2e-2}
_STEPS, _EVERY = 160, 16


def momentum(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A mode under heavy ball, over its curvature."""
    return {"mode": Computation(modes, {})}


def adam(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A network of two layers under Adam, at a step size that keeps it stable and at one that does not."""
    problem = digits_mlp(n=100, widths=(4,), seed=seed, dtype=torch.float64)
    return {
        name: Computation(updates, {"problem": problem, "step_size": step_size})
        for name, step_size in STEP_SIZES.items()
    }


def exceptional() -> tuple[float, float]:
    """ηλ at which two roots meet."""
    root = math.sqrt(BETA)
    return (1 - root) ** 2, (1 + root) ** 2


def modes() -> xr.Dataset:
    """ρ, κ(V), the Kreiss constant and the growth of the companion matrix, over ηλ."""
    points = np.array(sorted({*_REST, *(p * (1 + shift) for p in exceptional() for shift in (0.0, *_NEAR))}))
    found = [Transient.of(HeavyBall(1.0, BETA).companion(float(point))) for point in points]
    names = ("spectral_radius", "eigenvector_condition", "kreiss_constant", "growth")
    return xr.Dataset(
        {
            **{name: ("mode", [getattr(one, name) for one in found]) for name in names},
            "distance": ("mode", np.min([np.abs(points / p - 1) for p in exceptional()], axis=0)),
        },
        coords={"mode": points},
    )


def updates(problem: Problem, step_size: float) -> xr.Dataset:
    """Loss, ρ and κ(V) of I − ηP⁻¹H, the size of [H, P⁻¹], and the condition number of P, along the way.

    Args:
        problem: a small one: the Hessian is written down.
        step_size: η.
    """
    objective, method = problem.objective(), Adam(step_size, betas=(0.0, 0.99))
    w, state = objective.start, method.init(objective.start)
    rows = []
    for t in range(_STEPS + 1):
        due = t % _EVERY == 0 and t > 0
        point = objective.at(w, products=due)
        gradient, state = method.look(objective, point, state)
        if due:
            hessian = point.hvp_block(torch.eye(objective.size, dtype=w.dtype)).numpy()
            preconditioner = method.preconditioner(w, gradient, state)
            diagonal = preconditioner.matvec(torch.ones_like(w)).numpy()
            rows.append((float(point.value), *signatures(hessian, diagonal, step_size)))
        w, state = method.step(w, gradient, state)
    names = ("loss", "spectral_radius", "eigenvector_condition", "commutator", "preconditioner_condition")
    return xr.Dataset(
        {name: ("step", column) for name, column in zip(names, np.array(rows).T, strict=True)},
        coords={"step": np.arange(_EVERY, _STEPS + 1, _EVERY)},
    )


def signatures(hessian: Reals, diagonal: Reals, step_size: float) -> tuple[float, float, float, float]:
    """ρ and κ(V) of J = I − ηP⁻¹H, ‖[H, P⁻¹]‖/(‖H‖ ‖P⁻¹‖), and the condition number of P = diag(`diagonal`).

    The eigenvectors are those of P^(-1/2) H P^(-1/2) from the left by P^(-1/2), each of unit length.
    """
    root = 1 / np.sqrt(diagonal)
    values, Q = np.linalg.eigh(root[:, None] * (hessian + hessian.T) / 2 * root)
    V = root[:, None] * Q
    V /= np.linalg.norm(V, axis=0)
    lengths = np.linalg.svd(V, compute_uv=False)
    commutator = hessian / diagonal[None, :] - hessian / diagonal[:, None]
    return (
        float(np.abs(1 - step_size * values).max()),
        float(lengths[0] / lengths[-1]),
        float(np.linalg.norm(commutator, 2) / (np.linalg.norm(hessian, 2) / diagonal.min())),
        float(diagonal.max() / diagonal.min()),
    )
