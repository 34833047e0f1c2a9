"""Critical sharpness beside what it stands for, at the same points of a descent on all data.

By forward passes, λ_c = 2/η_c with η_c = min{η > 0 : L(w − ηg) > L(w)}; by a Hessian-vector product gᵀHg/‖g‖²; by
Lanczos the sharpness. In double precision, so that no difference is rounding.
"""

import numpy as np
import torch
import xarray as xr

from edgewise.curvature import Hessian
from edgewise.foundation import Vector, generator
from edgewise.linalg import Lanczos
from edgewise.methods import GradientDescent
from edgewise.objectives import Objective
from edgewise.problems import digits_mlp
from edgewise.watch import critical_sharpness

RTOL = 0.05
# The first crossing is looked for at distances that grow by this factor, from where the quadratic has none yet.
_GROWTH, _FIRST, _FURTHEST = 1.02, 0.05, 400.0


def along(step_size: float, steps: int, every: int, samples: int, seed: int) -> xr.Dataset:
    """Gradient descent on digits, with all four measured every so many steps.

    Args:
        step_size: η.
        steps: how many.
        every: steps between measurements.
        samples: of the data.
        seed: of the start.
    """
    problem = digits_mlp(n=samples, widths=(24, 24), seed=seed, dtype=torch.float64)
    objective = problem.objective()
    data = problem.data.load(torch.float64)
    batch = data.inputs, problem.criterion.targets(data, torch.float64)
    module = problem.model.build(data.input_shape, data.outputs, seed).double()
    criterion = problem.criterion.function()
    method = GradientDescent(step_size)
    w, guess = objective.start, 1.0
    state = method.init(w)
    rows = []
    for step in range(steps + 1):
        reading = step % every == 0
        point = objective.at(w, products=reading)
        g = point.gradient
        if reading:
            torch.nn.utils.vector_to_parameters(w, module.parameters())
            found = critical_sharpness(module, criterion, batch, -g, guess=guess, rtol=RTOL)
            guess = found.step
            top = Lanczos().solve(Hessian.at(point), 1, 1e-4, generator(seed, "critical2026sharpness"))
            curvature = float(g @ point.hvp(g)) / float(g @ g)
            rows.append(
                (step, float(point.value), found.sharpness, found.passes, _exactly(objective, w, g, curvature),
                 curvature, float(top.values[0]))
            )  # fmt: skip
        w, state = method.step(w, g, state)
    step_, loss, critical, passes, exact, curvature_, sharpness = np.array(rows).T
    return xr.Dataset(
        {
            "loss": ("step", loss),
            "critical_sharpness": ("step", critical),
            "passes": ("step", passes),
            "first_crossing": ("step", exact),
            "curvature": ("step", curvature_),
            "sharpness": ("step", sharpness),
            "critical_curvature": 2.0 / step_size,
        },
        coords={"step": step_.astype(int)},
    )


def _exactly(objective: Objective, w: Vector, g: Vector, curvature: float) -> float:
    """λ_c by walking out from the present point in small steps, and then halving the last one; nan if never."""
    present = float(objective.value(w))

    def risen(eta: float) -> bool:
        return not float(objective.value(w - eta * g)) <= present

    low, scale = 0.0, 2.0 / abs(curvature)
    eta = _FIRST * scale
    while not risen(eta):
        low, eta = eta, eta * _GROWTH
        if eta > _FURTHEST * scale:
            return float("nan")
    high = eta
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if risen(middle) else (middle, high)
    return 2.0 / high
