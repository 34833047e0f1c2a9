"""How much of the expected decrease a step brings: on quadratics, on one bounded number, and on networks.

The one number is L(x) = log cosh x. Its curvature at the minimum is 1, so it is unstable for η > 2; but its
gradient tanh x is bounded by 1, so that no step leaves [−η, η]. On ½ x², of the same curvature, nothing holds the
iterate.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.dynamics import Problem, RelativeProgress, Sharpness
from edgewise.foundation import derive_seed
from edgewise.methods import GradientDescent
from edgewise.problems import cifar10_mlp, digits_mlp
from edgewise.reproduction import Computation, Descent, Experiment, Scale
from edgewise.theory import iterate

Reals = NDArray[np.float64]

_Setting = tuple[str, Problem, tuple[int, ...], int]
"""The name of a loss, its problem, the critical curvatures 2/η, and the number of steps."""

STEP_SIZE = 2.5
_QUADRATICS, _DIMENSION = 200, 6
_STARTS = 401
_STEPS = {Scale.SMOKE: 400, Scale.LAPTOP: 4000, Scale.PAPER: 4000}


def quadratic(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """One step on each of many random quadratics, from a random point with a random step size."""
    return {"steps": Computation(steps_on_quadratics, {"seed": seed})}


def bounded(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent on log cosh and on the quadratic of the same curvature, from many starts."""
    return {"paths": Computation(paths, {"steps": _STEPS[scale]})}


def network(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A network under step sizes whose critical curvature it reaches."""
    if scale is Scale.SMOKE:
        # On so few digits the cross-entropy is flat before it could be unstable.
        settings: tuple[_Setting, ...] = (
            ("squared error", digits_mlp(n=300, widths=(32, 32), seed=seed), (13, 15), 900),
        )
    else:
        n, longer = (1000, 1) if scale is Scale.LAPTOP else (5000, 5)
        settings = (
            ("cross-entropy", cifar10_mlp(n=n, loss="ce", seed=seed), (40, 60), 600 * longer),
            ("squared error", cifar10_mlp(n=n, seed=seed), (100, 150), 1500 * longer),
        )
    return {
        f"{name}, η = 2/{divisor}": Descent(
            processes={"gd": GradientDescent(2 / divisor)},
            problem=problem,
            steps=steps,
            probes=(RelativeProgress(), Sharpness(every=5)),
        )
        for name, problem, divisors, steps in settings
        for divisor in divisors
    }


def steps_on_quadratics(seed: int) -> xr.Dataset:
    """Relative progress and (η/2) × directional smoothness of single steps on L = ½ wᵀHw."""
    rng = np.random.default_rng(derive_seed(seed, "ahn2022understanding"))
    root = rng.standard_normal((_QUADRATICS, _DIMENSION, _DIMENSION))
    hessian = root @ root.transpose(0, 2, 1) / _DIMENSION
    w = rng.standard_normal((_QUADRATICS, _DIMENSION))
    sharpness = np.linalg.eigvalsh(hessian)[:, -1]
    eta = rng.uniform(0.1, 4.0, _QUADRATICS) / sharpness
    g = np.einsum("nij,nj->ni", hessian, w)
    after = w - eta[:, None] * g
    g_after = np.einsum("nij,nj->ni", hessian, after)
    loss, loss_after = ((x * y).sum(1) / 2 for x, y in ((w, g), (after, g_after)))
    length = eta * (g * g).sum(1)
    return xr.Dataset(
        {
            "relative_progress": ("quadratic", (loss_after - loss) / length),
            "smoothness_share": ("quadratic", eta / 2 * (g * (g - g_after)).sum(1) / length),
            "step_size_share": ("quadratic", eta * sharpness / 2),
        }
    )


def paths(steps: int) -> xr.Dataset:
    """Positions on both losses, and relative progress and smoothness on log cosh, from starts in [−η, η]."""
    start = np.linspace(-STEP_SIZE, STEP_SIZE, _STARTS)
    x, free = iterate(step, (start, start), steps, every=1)
    now, then = x[:-1], x[1:]
    moving = now[:, start != 0]
    g, g_after = np.tanh(moving), np.tanh(then[:, start != 0])
    length = STEP_SIZE * g**2
    progress = (loss(then[:, start != 0]) - loss(moving)) / length
    smoothness = g * (g - g_after) / length
    return xr.Dataset(
        {
            "x": (("step", "start"), x),
            "quadratic": (("step", "start"), free),
            "relative_progress": (("taken", "moving"), progress),
            "directional_smoothness": (("taken", "moving"), smoothness),
        },
        coords={"step": np.arange(steps + 1), "start": start},
    )


def step(x: Reals, free: Reals) -> tuple[Reals, Reals]:
    """One step on log cosh x, and one on ½ x²."""
    return x - STEP_SIZE * np.tanh(x), free - STEP_SIZE * free


def loss(x: Reals) -> Reals:
    """Log cosh x."""
    return np.asarray(np.logaddexp(x, -x) - np.log(2))
