"""Methods beside their central flows, and a toy of two coupled modes at the edge.

The toy is L = ½ xᵀ(2/η · I + Σₖ yₖ Sₖ) x − g·y: at y = 0 both modes are critical, g drives them over the edge, and
the oscillation of x drives them back. Its covariance is what solves 0 ≼ X ⟂ A + B[X] ≽ 0 with A = −η Σₖ gₖ Sₖ and
B[X] = (η/2) Σₖ ⟨Sₖ, X⟩ Sₖ, the rate at which 2/η − H changes.
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from edgewise.dynamics import Distance, EffectiveSharpness, Midpoint, ModeDisplacement, Problem, Process
from edgewise.flows import CentralFlow, GradientFlow, StableFlow, complementarity
from edgewise.methods import AnyMethod, GradientDescent, RMSProp, ScalarRMSProp
from edgewise.problems import chebyshev_mlp, cifar10_mlp
from edgewise.reproduction import Computation, Descent, Experiment, Scale

Reals = NDArray[np.float64]

STEP_SIZE = 0.02
SLOPES = np.array([[[10.0, 1.0], [1.0, 2.0]], [[2.0, 1.0], [1.0, 9.0]], [[0.0, 4.0], [4.0, 0.0]]])
FORCES = np.array([5.2e-3, 7.005e-3, 8e-4])
_START = np.array([0.02, -0.01]), np.array([-0.05, -0.05, 0.0])
_SETTLED = 10_000
_TOY_STEPS = {Scale.SMOKE: 30_000, Scale.LAPTOP: 200_000, Scale.PAPER: 200_000}
_TRACED = 1500
BETA2 = 0.99


def two_modes(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent on the toy, and the covariance that complementarity predicts."""
    return {"toy": Computation(toy, {"steps": _TOY_STEPS[scale]})}


def gradient_descent(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent, its central flow, and the gradient flow."""
    method = GradientDescent({Scale.SMOKE: 0.4, Scale.LAPTOP: 0.03, Scale.PAPER: 0.02}[scale])
    return _beside(scale, seed, method, GradientFlow())


def scalar_rmsprop(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Scalar RMSProp, its central flow, and its stable flow, which knows of no oscillation."""
    method = ScalarRMSProp(0.03 if scale is Scale.SMOKE else 0.02, BETA2)
    return _beside(scale, seed, method, StableFlow(method))


def rmsprop(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """RMSProp, its central flow, and its stable flow."""
    method = RMSProp(1e-3 if scale is Scale.SMOKE else 5e-5, BETA2)
    return _beside(scale, seed, method, StableFlow(method))


def _beside(scale: Scale, seed: int, method: AnyMethod, stable: Process) -> Mapping[str, Experiment]:
    if scale is Scale.SMOKE:
        chosen: tuple[Problem, int] = chebyshev_mlp(degree=4, seed=seed), 1000
    elif scale is Scale.LAPTOP:
        chosen = _images(300, (64, 64), seed), 500
    else:
        chosen = _images(1000, (256, 256), seed), 2000
    problem, steps = chosen
    return {
        "flows": Descent(
            processes={
                "method": method,
                "midpoint": Midpoint("method"),
                "central": CentralFlow(method),
                "stable": stable,
            },
            problem=problem,
            steps=steps,
            probes=(
                EffectiveSharpness(every=10),
                Distance("midpoint", "central"),
                Distance("midpoint", "stable"),
                ModeDisplacement("method", "central"),
                ModeDisplacement("method", "central", about="midpoint"),
            ),
        )
    }


def _images(n: int, widths: tuple[int, ...], seed: int) -> Problem:
    return cifar10_mlp(n=n, classes=(0, 1, 2, 3), widths=widths, activation="gelu", seed=seed)


def toy(steps: int) -> xr.Dataset:
    """The time mean of xxᵀ past the first steps, its running mean and its prediction."""
    x, y = _START
    path, along = np.empty((steps, 2)), np.empty((steps, 3))
    for t in range(steps):
        path[t], along[t] = x, y
        x, y = step(x, y)
    settled = path[_SETTLED:]
    squares = np.cumsum(settled**2, axis=0) / np.arange(1, len(settled) + 1)[:, None]
    kept = np.unique(np.geomspace(1, len(settled), 200).astype(int)) - 1
    drive, response = problem()
    found = complementarity(torch.from_numpy(drive), torch.from_numpy(response))
    return xr.Dataset(
        {
            "measured": (("mode", "other"), settled.T @ settled / len(settled)),
            "predicted": (("mode", "other"), found.solution.numpy()),
            "slack": (("mode", "other"), found.slack.numpy()),
            "residual": found.residual,
            "alone": ("mode", alone()),
            "running": (("averaged", "mode"), squares[kept]),
            "x": (("step", "mode"), path[:_TRACED]),
            "y": (("step", "slope"), along[:_TRACED]),
            "end": ("slope", y),
        },
        coords={"averaged": kept + 1.0},
    )


def step(x: Reals, y: Reals) -> tuple[Reals, Reals]:
    """One step of gradient descent on the toy."""
    curvature = 2 / STEP_SIZE * np.eye(2) + np.einsum("k,kij->ij", y, SLOPES)
    pull = np.einsum("kij,i,j->k", SLOPES, x, x) / 2 - FORCES
    return x - STEP_SIZE * curvature @ x, y - STEP_SIZE * pull


def problem() -> tuple[Reals, Reals]:
    """A and B of the complementarity problem."""
    drive = -STEP_SIZE * np.einsum("k,kij->ij", FORCES, SLOPES)
    response = STEP_SIZE / 2 * np.einsum("kij,klm->ijlm", SLOPES, SLOPES)
    return drive, response


def alone() -> Reals:
    """The variances that hold each mode by itself, as if the other one did not oscillate: 2⟨g, s⟩/‖s‖²."""
    slopes = np.einsum("kii->ik", SLOPES)
    return np.asarray(2 * slopes @ FORCES / (slopes**2).sum(1))
