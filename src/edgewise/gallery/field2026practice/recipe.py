"""Two questions of practice on a small network, on three starts each.

Does a step size that is held at the edge train faster than the best constant one? Does a larger constant step size
lead to a flatter minimum, and does that one generalise better?
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr

from edgewise.curvature import Hessian
from edgewise.foundation import generator
from edgewise.linalg import Lanczos
from edgewise.methods import AtEdgeRatio, GradientDescent
from edgewise.problems import digits_mlp
from edgewise.reproduction import Computation, Descent, Experiment, Scale

EDGE = "held at the edge"
CONSTANT = (0.1, 0.15, 0.2, 0.25, 0.3)
STEPS, MEASURED_EVERY = 300, 10

SIZES = (0.06, 0.12, 0.24)
TARGET = 0.05
_TRAINED, _HELD_OUT, _LONGEST = 100, 1000, 6000


def speed(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A step size at the edge, and constant ones."""
    held = AtEdgeRatio(GradientDescent(0.1), ratio=1.0, every=MEASURED_EVERY, rtol=1e-2, seed=seed)
    return {
        "race": Descent(
            processes={EDGE: held, **{f"η = {eta:g}": GradientDescent(eta) for eta in CONSTANT}},
            problem=digits_mlp(n=150, widths=(24, 24), seed=seed),
            steps=STEPS,
        )
    }


def flatness(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Constant step sizes, each until the training loss is the same."""
    return {f"η = {eta:g}": Computation(fitted, {"step_size": eta, "seed": seed}) for eta in SIZES}


def fitted(step_size: float, seed: int) -> xr.Dataset:
    """Sharpness of the training loss, test loss and test error when the training loss is first at its target.

    Args:
        step_size: η.
        seed: of the start.
    """
    objective = digits_mlp(n=_TRAINED + _HELD_OUT, widths=(24, 24), seed=seed).objective()
    few = digits_mlp(n=_TRAINED, widths=(24, 24), seed=seed).objective()
    held_out = torch.arange(_TRAINED, _TRAINED + _HELD_OUT)
    w, method = few.start, GradientDescent(step_size)
    state = method.init(w)
    losses = []
    for _ in range(_LONGEST):
        point = few.at(w, products=False)
        losses.append(float(point.value))
        if losses[-1] <= TARGET:
            break
        w, state = method.step(w, point.gradient, state)
    top = Lanczos().solve(Hessian(few, w), 1, 1e-3, generator(seed, "field2026practice"))
    return xr.Dataset(
        {
            "loss": ("step", losses),
            "sharpness": float(top.values[0]),
            "test_loss": float(objective.batch_at(w, held_out).value),
            "step_size": step_size,
        },
        coords={"step": np.arange(len(losses))},
    )
