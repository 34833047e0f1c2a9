"""A network that ends like the minimalist example: five layers, ELU, fifty images of two classes, targets ±1.

The path is followed twice, bit for bit the same. The first time leads to its end θ*, the midpoint of two iterates,
where the top eigenvector u of the Hessian is taken; the second time the last stretch at the edge is read in the
coordinates y = ⟨u, θ − θ*⟩ and x = ⟨v, θ − θ*⟩, with v the direction from θ* to where the stretch began, less u.
"""

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from edgewise.curvature import Hessian, Tracker
from edgewise.data import CIFAR10, Digits
from edgewise.linalg import eigenpairs
from edgewise.models import MLP
from edgewise.objectives import Objective

_LAYERS = 5


def network(
    images: str,
    classes: tuple[str, str],
    samples: int,
    width: int,
    lr: float,
    steps: int,
    stretch: tuple[int, int],
    every: int,
) -> xr.Dataset:
    """Loss and sharpness along gradient descent, and a stretch of it in its two coordinates.

    Args:
        images: "digits" or "cifar10".
        classes: the two of them.
        samples: how many images.
        width: of the hidden layers.
        lr: the step size.
        steps: how many.
        stretch: the first and the last step at which the coordinates are read.
        every: how often the sharpness is.
    """
    objective = _objective(images, classes, samples, width)
    tracker = Tracker(k=1, rtol=1e-4)
    state = tracker.init(0)
    read, losses, tops = [], [], []
    w = before = objective.start
    since = w
    for step in range(steps + 1):
        if step == stretch[0]:
            since = w
        if step % every == 0:
            point = objective.at(w)
            pairs, state = tracker.read(Hessian.at(point), state)
            read.append(step)
            losses.append(float(point.value))
            tops.append(float(pairs.values[0]))
        before, w = w, w - lr * objective.gradient(w)
    end = (before + w) / 2
    top = eigenpairs(Hessian(objective, end), 1, rtol=1e-8)
    x, y = _coordinates(objective, since, end, top.vectors[:, 0], lr, stretch[1] - stretch[0])
    return xr.Dataset(
        {
            "loss": ("step", np.array(losses)),
            "sharpness": ("step", np.array(tops)),
            "x": ("at", x),
            "y": ("at", y),
            "end_sharpness": float(top.values[0]),
        },
        coords={"step": np.array(read), "at": np.arange(stretch[0], stretch[1] + 1), "lr": lr},
    )


def _objective(images: str, classes: tuple[str, str], samples: int, width: int) -> Objective:
    """The mean squared distance from ±1, in float64, on pixels from 0 to 1."""
    kind = {"digits": Digits, "cifar10": CIFAR10}[images]
    data = kind(n=samples, classes=classes, standardize=None).load(torch.float64)
    model = MLP(widths=(width,) * (_LAYERS - 1), activation="elu").build(data.input_shape, 1, 0)
    targets = (2.0 * data.targets - 1.0).to(torch.float64)[:, None]
    return Objective.from_module(model.to(torch.float64), torch.nn.MSELoss(), (data.inputs, targets))


def _coordinates(
    objective: Objective, since: Tensor, end: Tensor, u: Tensor, lr: float, steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y at every step of the stretch."""
    v = since - lr / 2 * objective.gradient(since) - end
    v = v - (v @ u) * u
    v /= v.norm()
    w, x, y = since, [], []
    for step in range(steps + 1):
        x.append(float(v @ (w - end)))
        y.append(float(u @ (w - end)))
        if step < steps:
            w = w - lr * objective.gradient(w)
    return np.array(x), np.array(y)
