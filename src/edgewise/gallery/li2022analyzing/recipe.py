"""Networks of two layers and one output at the edge: their sharpness beside the norm of their output layer.

The linear one is f(x) = aᵀWx on inputs whose variances fall off like 1/k; the other one has tanh between its
layers and fits a Chebyshev polynomial.
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from edgewise.curvature import Hessian, Tracker
from edgewise.foundation import ParameterSpace, derive_seed
from edgewise.methods import GradientDescent
from edgewise.objectives import Objective
from edgewise.problems import chebyshev_mlp
from edgewise.reproduction import Computation, Experiment, Scale

SAMPLES, INPUTS, WIDTH = 60, 20, 20
_SIGNAL = 2.0
_SETTINGS = {"linear": (2 / 7, 400), "tanh": (2 / 5, 1500)}


def proxy(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Either network, under a step size whose critical curvature it reaches."""
    return {
        name: Computation(descent, {"network": name, "step_size": step_size, "steps": steps, "seed": seed})
        for name, (step_size, steps) in _SETTINGS.items()
    }


def descent(network: str, step_size: float, steps: int, seed: int) -> xr.Dataset:
    """Sharpness, squared norm of the output weights and loss along gradient descent, in float64."""
    objective, output = linear(seed) if network == "linear" else tanh(seed)
    method, tracker = GradientDescent(step_size), Tracker(rtol=1e-6, lag=2)
    w, memory = objective.start, tracker.init(seed)
    state = method.init(w)
    rows = []
    for _ in range(steps + 1):
        point = objective.at(w)
        pairs, memory = tracker.read(Hessian.at(point), memory, 2 / step_size, [point.gradient])
        rows.append((float(pairs.values[0]), float(w[output].square().sum()), float(point.value)))
        w, state = method.step(w, point.gradient, state)
    sharpness, norm, loss = np.array(rows).T
    return xr.Dataset(
        {
            "sharpness": ("step", sharpness),
            "output_norm": ("step", norm),
            "loss": ("step", loss),
            "critical_curvature": 2 / step_size,
        },
        coords={"step": np.arange(steps + 1)},
    )


def linear(seed: int) -> tuple[Objective, slice]:
    """L(W, a) = ‖X Wᵀ a − y‖²/(2n), and where a stands in the flat vector."""
    rng = np.random.default_rng(derive_seed(seed, "li2022analyzing"))
    inputs = rng.standard_normal((SAMPLES, INPUTS)) / np.sqrt(np.arange(1, INPUTS + 1))
    targets = torch.from_numpy(_SIGNAL * inputs @ rng.standard_normal(INPUTS))
    X = torch.from_numpy(inputs)

    def loss(w: Tensor) -> Tensor:
        W, a = w[: WIDTH * INPUTS].reshape(WIDTH, INPUTS), w[WIDTH * INPUTS :]
        return (X @ W.T @ a - targets).square().mean() / 2

    start = torch.from_numpy(rng.standard_normal(WIDTH * INPUTS + WIDTH) / np.sqrt(WIDTH))
    return Objective.from_function(loss, start.numel(), start=start), slice(WIDTH * INPUTS, None)


def tanh(seed: int) -> tuple[Objective, slice]:
    """The network that fits a Chebyshev polynomial, and where its output weights stand."""
    objective = chebyshev_mlp(degree=4, seed=seed, dtype=torch.float64).objective()
    assert objective.space is not None
    return objective, output_weights(objective.space)


def output_weights(space: ParameterSpace) -> slice:
    """Where the weights of the last layer stand in the flat vector."""
    last = max(i for i, name in enumerate(space.names) if name.endswith("weight"))
    start = sum(space.lengths[:last])
    return slice(start, start + space.lengths[last])
