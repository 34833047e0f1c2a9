"""Two samples with the label 1, (0.1, 0.9) and (0.1, −0.5), separable with the margin γ = 0.1 by the first axis.

Along that axis the losses of both samples fall together; across it they pull against each other, and with a large
step size gradient descent oscillates there. Under the logistic loss the gradient is bounded, and the oscillation
shrinks the coefficient that drives it; under the exponential loss nothing stops it.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgewise.reproduction import Computation, Experiment, Scale

Reals = NDArray[np.float64]

INPUTS = np.array([[0.1, 0.9], [0.1, -0.5]])
MARGIN = 0.1
STEP_SIZES = (1.0, 20.0, 100.0)
_STEPS = 20_000
_EXPONENTIAL_STEPS = 200


def theorem1(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """The logistic loss at three step sizes for long, the exponential loss until it has blown up or not."""
    return {
        "logistic": Computation(descents, {"loss": "logistic", "steps": _STEPS}),
        "exponential": Computation(descents, {"loss": "exponential", "steps": _EXPONENTIAL_STEPS}),
    }


def descents(loss: str, steps: int) -> xr.Dataset:
    """Gradient descent from zero at every step size: the weights, the loss and its sharpness."""
    eta = np.array(STEP_SIZES)[:, None]
    w = np.zeros((len(eta), 2))
    weights, losses, sharpness = [], [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps + 1):
            value, slope, curvature = criterion(loss, w @ INPUTS.T)
            hessian = np.einsum("en,ni,nj->eij", curvature, INPUTS, INPUTS) / len(INPUTS)
            half, off = (hessian[:, 0, 0] - hessian[:, 1, 1]) / 2, hessian[:, 0, 1]
            sharpness.append((hessian[:, 0, 0] + hessian[:, 1, 1]) / 2 + np.hypot(half, off))
            weights.append(w)
            losses.append(value.mean(1))
            w = w - eta * (slope @ INPUTS) / len(INPUTS)
    dims = ("step", "step_size")
    return xr.Dataset(
        {
            "w": ((*dims, "axis"), np.stack(weights)),
            "loss": (dims, np.stack(losses)),
            "sharpness": (dims, np.stack(sharpness)),
        },
        coords={"step": np.arange(steps + 1), "step_size": np.array(STEP_SIZES)},
    )


def criterion(loss: str, margin: Reals) -> tuple[Reals, Reals, Reals]:
    """The loss of each margin with its first two derivatives."""
    if loss == "exponential":
        value = np.exp(-margin)
        return value, -value, value
    wrong = 1 / (1 + np.exp(margin))
    return np.logaddexp(0, -margin), -wrong, wrong * (1 - wrong)
