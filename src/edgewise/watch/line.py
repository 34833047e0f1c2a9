"""The line that a live optimiser must not cross: its critical curvature, and the metric it is measured in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.optim import Optimizer

from edgewise.foundation import SettingError
from edgewise.linalg import Preconditioner
from edgewise.methods import AnyMethod, from_torch, state_from_torch


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """Where an optimiser, as it is now, loses stability.

    Attributes:
        critical: the critical curvature of the coming step.
        formula: the same in symbols, such as `2/η`.
        preconditioner: P of the coming step; curvature means that of P^(-1/2) H P^(-1/2).
        method: the optimiser as a method, which knows what it adds to the Hessian.
    """

    critical: float
    formula: str
    preconditioner: Preconditioner
    method: AnyMethod


def read_line(optimizer: Optimizer, parameters: Sequence[Tensor]) -> Line:
    """The line of a `torch.optim` object at its present step sizes and state.

    Raises:
        SettingError: if no method here does what the optimiser does.

    References:
        cohen2021gradient, cohen2022adaptive
    """
    method = from_torch(optimizer, parameters)
    state = state_from_torch(optimizer, parameters)
    critical = method.critical_curvature_at(state)
    if not critical > 0:
        raise SettingError(
            f"{type(optimizer).__name__} with a critical curvature of {critical}",
            "it is stable at no curvature",
            "Lower its step size or its weight decay",
        )
    with torch.no_grad():
        w = torch.cat([p.detach().reshape(-1) for p in parameters])
        preconditioner = method.preconditioner(w, torch.zeros_like(w), state)
    return Line(critical=critical, formula=method.critical_formula, preconditioner=preconditioner, method=method)
