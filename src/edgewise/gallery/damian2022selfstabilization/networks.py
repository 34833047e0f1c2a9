"""Networks at the edge, step by step beside what self-stabilisation predicts of them.

There are two classes, as in half of the paper's experiments: one direction of the outputs matters then, and one
mode of the Hessian reaches the edge long before the second.
"""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
import xarray as xr

from edgewise.curvature import Hessian, Tracker
from edgewise.data import Digits
from edgewise.flows import predict_dynamics
from edgewise.foundation import EvidenceError
from edgewise.methods import GradientDescent
from edgewise.models import ViT
from edgewise.objectives import Objective
from edgewise.problems import Problem, SquaredError, cifar10_cnn, cifar10_mlp, cifar10_vit, digits_cnn, digits_mlp

_DIGITS, _ANIMALS = (3, 8), ("cat", "dog")
# A crossing counts from below: the edge ratio has been under this before.
_BELOW = 0.99
_PATIENCE = 20_000
_SERIES = (
    "x",
    "predicted_x",
    "y",
    "predicted_y",
    "loss",
    "constrained_loss",
    "delta_squared",
    "deviation",
    "modes",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a network is followed.

    Attributes:
        problem: what is descended.
        step_size: η.
        crossings: at which upward crossings of the edge the prediction starts: an early one, a later one.
        followed: for how many steps it is compared.
    """

    problem: Problem
    step_size: float
    crossings: tuple[int, int]
    followed: int


def setting(kind: str, scale: str, seed: int) -> Setting:
    """What is trained, and how, at each scale."""
    if scale == "smoke":
        digits = {
            "mlp": (
                digits_mlp(n=100, classes=_DIGITS, widths=(32, 32), activation="swish", seed=seed),
                0.3,
                (2, 3),
            ),
            "cnn": (
                digits_cnn(n=50, classes=_DIGITS, channels=(4, 4), activation="swish", seed=seed),
                0.3,
                (1, 2),
            ),
            "transformer": (_digits_transformer(seed), 0.12, (1, 3)),
        }
        problem, step_size, crossings = digits[kind]
        return Setting(problem=problem, step_size=step_size, crossings=crossings, followed=150)
    n = 200 if scale == "laptop" else 5000
    animals = {
        "mlp": (cifar10_mlp(n=n, classes=_ANIMALS, activation="swish", seed=seed), 0.03),
        "cnn": (cifar10_cnn(n=n, classes=_ANIMALS, pooling="average", activation="swish", seed=seed), 0.03),
        "transformer": (
            cifar10_vit(
                n=n, classes=_ANIMALS, patch=8, layers=2, width=32, heads=2, activation="swish", seed=seed
            ),
            0.02,
        ),
    }
    if scale == "laptop":
        animals["mlp"] = cifar10_mlp(n=n, classes=_ANIMALS, widths=(64, 64), activation="swish", seed=seed), 0.03
        small = cifar10_cnn(
            n=100, classes=_ANIMALS, channels=(8, 8), pooling="average", activation="swish", seed=seed
        )
        animals["cnn"] = small, 0.03
    problem, step_size = animals[kind]
    return Setting(problem=problem, step_size=step_size, crossings=(1, 2), followed=200)


def _digits_transformer(seed: int) -> Problem:
    return Problem(
        name="digits_vit",
        data=Digits(n=50, classes=_DIGITS),
        model=ViT(patch=2, layers=2, width=16, heads=2, activation="swish"),
        criterion=SquaredError(),
        seed=seed,
    )


def followed(kind: str, scale: str, seed: int, crossing: int, steps: int) -> xr.Dataset:
    """Gradient descent from the given crossing of the edge on, beside its prediction from that iterate.

    As in the paper it comes to the edge in single precision and is compared in double precision. The prediction
    takes the exact restoring force along u. Of several critical modes the first is compared.
    """
    chosen = setting(kind, scale, seed)
    step_size, critical = chosen.step_size, 2 / chosen.step_size
    w, at_step = _descend(chosen.problem.objective(), step_size, crossing)
    objective, w = replace(chosen.problem, dtype=torch.float64).objective(), w.double()
    tracker = Tracker(rtol=1e-4)
    memory, rows = tracker.init(0), []
    for state in predict_dynamics(objective, w, GradientDescent(step_size), steps, exact=True):
        w = w - step_size * objective.gradient(w)
        at = state.displacement
        if at is None or not len(at.x):
            continue
        ahead = w - step_size * objective.gradient(w)
        pairs, memory = tracker.read(Hessian(objective, (w + ahead) / 2), memory)
        rows.append(
            (
                float(at.modes.vectors[:, 0] @ (w - at.reference)),
                float(at.x[0]),
                float(pairs.values[0]) - critical,
                at.predicted_sharpness - critical,
                float(objective.value(w)),
                at.loss,
                float(at.covariance.diagonal().sum()),
                float((w - at.reference).norm()),
                len(at.x),
            )
        )
    columns = np.array(rows, dtype=np.float64).reshape(-1, len(_SERIES)).T
    return xr.Dataset(
        {name: ("step", column) for name, column in zip(_SERIES, columns, strict=True)},
        coords={"step": at_step + 1 + np.arange(columns.shape[1])},
        attrs={"step_size": step_size},
    )


def _descend(objective: Objective, step_size: float, crossing: int) -> tuple[torch.Tensor, int]:
    """The iterate at which the sharpness between it and the next rises to 2/η for the given time, and its step."""
    w, below, left = objective.start, False, crossing
    tracker = Tracker(rtol=1e-3)
    memory = tracker.init(0)
    for step in range(_PATIENCE):
        ahead = w - step_size * objective.gradient(w)
        pairs, memory = tracker.read(Hessian(objective, (w + ahead) / 2), memory)
        ratio = float(pairs.values[0]) * step_size / 2
        if below and ratio >= 1:
            left, below = left - 1, False
            if left == 0:
                return w, step
        below = below or ratio < _BELOW
        w = ahead
    raise EvidenceError(
        f"crossing {crossing} of the edge", f"there is none in {_PATIENCE} steps", "Take a larger step size"
    )
