"""A network with more parameters than samples, trained to a loss of almost zero, that goes on at a fixed length.

One output and half the mean squared error, so that L = (1/2n) ‖f − y‖² is zero on a manifold, and the Hessian
there is the Gauss–Newton matrix JᵀJ/n, whose rank is the number of samples n. The target is ±1: whether a class
is odd.
"""

import math

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import edgewise as ew
from edgewise.data import CIFAR10, Data, Digits
from edgewise.foundation import generator
from edgewise.methods import AnyMethod
from edgewise.models import MLP
from edgewise.theory import (
    normalized_flow_rate,
    normalized_root_loss_sum,
    sqrt_loss_flow_rate,
    sqrt_loss_root_loss_sum,
)

_TRAINED = 1e-6  # the loss at which the first phase is over
_LONGEST = 1e4  # time units of gradient flow


def slide(
    data: str, samples: int, width: int, method: str, lr: float, steps: int, readings: int, seed: int
) -> xr.Dataset:
    """The loss at every step, and every so many the sharpness and how fast it should be falling.

    The readings are taken where the line between two consecutive iterates crosses the manifold.
    """
    objective = fitted(data, samples, width, seed)
    descending: AnyMethod = ew.NormalizedGD(lr) if method == "normalized" else ew.SqrtLossGD(lr)
    w = trained(objective)
    state = descending.init(w)
    every = steps // readings
    losses, rows = [], []
    before: tuple[Tensor, Tensor] | None = None
    for t in range(steps + 1):
        point = objective.at(w, products=False)
        gradient, state = descending.look(objective, point, state)
        losses.append(float(point.value))
        if before is not None and t % every == 0:
            where = crossing(*before, w, point.gradient)
            row = reading(objective, where, samples, method)
            rows.append((t, *row, *_of_two_steps(method, lr, row[0], losses[-2:], (before[1], point.gradient))))
        before = w, point.gradient
        w, state = descending.step(w, gradient, state)
    table = np.array(rows).T
    names = ("step", "sharpness", "second", "rate", "whole_rate", "flatness", "root_sum", "before", "after")
    columns = dict(zip(names, table, strict=True))
    return xr.Dataset(
        {name: ("reading", column) for name, column in columns.items() if name != "step"}
        | {"loss": ("t", np.array(losses)), "lr": lr, "parameters": objective.size},
        coords={"tau": ("reading", lr**2 * columns["step"])},
    )


def fitted(data: str, samples: int, width: int, seed: int) -> ew.Objective:
    """Half the mean squared error of a network of one hidden layer and one output, in double precision."""
    source: Data = Digits(n=samples) if data == "digits" else CIFAR10(n=samples)
    loaded = source.load(torch.float64)
    targets = (2.0 * (loaded.targets % 2) - 1.0).to(torch.float64)[:, None]
    module = MLP(widths=(width,)).build(loaded.input_shape, 1, seed).to(torch.float64)
    return ew.Objective.from_module(module, half_squared_error, (loaded.inputs, targets))


def half_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(1/2n) ‖f − y‖²."""
    return 0.5 * (outputs - targets).square().sum() / len(outputs)


def trained(objective: ew.Objective) -> Tensor:
    """Where the gradient flow from the start comes to a loss of `_TRAINED`."""
    flow, w, time, span = ew.GradientFlow(), objective.start, 0.0, 1.0
    state = flow.init(objective, w, seed=0)
    while float(objective.value(w)) > _TRAINED and time < _LONGEST:
        w, state = flow.advance(objective, objective.at(w), state, span)
        time, span = time + span, 1.5 * span
    return w


def crossing(one: Tensor, gradient: Tensor, two: Tensor, other: Tensor) -> Tensor:
    """Between two iterates, where a gradient that is linear on the way and turns its sign is zero."""
    first, second = float(gradient.norm()), float(other.norm())
    return (second * one + first * two) / (first + second)


def reading(
    objective: ew.Objective, w: Tensor, samples: int, method: str
) -> tuple[float, float, float, float, float]:
    """λ₁, λ₂, dλ₁/dτ as predicted, the same of the whole ∇λ₁, and how curved the loss is along P∇λ₁, of λ₁."""
    hessian = ew.Hessian(objective, w)
    pairs = ew.eigenpairs(hessian, k=2, rtol=1e-8)
    top, u = float(pairs.values[0]), pairs.vectors[:, 0].contiguous()
    slope = hessian.point.third(u, u)
    along = tangent(objective, w, slope, samples)
    flatness = float((hessian @ along).norm() / along.norm()) / top
    return top, float(pairs.values[1]), _rate(method, along, top), _rate(method, slope, top), flatness


def tangent(objective: ew.Objective, w: Tensor, v: Tensor, rank: int) -> Tensor:
    """P v: without what lies in the range of the Gauss–Newton matrix.

    The products of a matrix of rank n with n random vectors span its range.
    """
    probes = torch.randn(objective.size, rank, generator=generator(0, "range"), dtype=torch.float64)
    basis, _ = torch.linalg.qr(ew.GaussNewton(objective, w) @ probes)
    return v - basis @ (basis.T @ v)


def _rate(method: str, slope: Tensor, top: float) -> float:
    squared = float(slope @ slope)
    return normalized_flow_rate(squared, top) if method == "normalized" else sqrt_loss_flow_rate(squared)


def _of_two_steps(
    method: str, lr: float, top: float, losses: list[float], gradients: tuple[Tensor, Tensor]
) -> tuple[float, float, float]:
    """(√L + √L′) ÷ its prediction, and the stableness of both steps."""
    roots = [math.sqrt(value) for value in losses]
    if method == "normalized":
        sizes, predicted = [float(g.norm()) for g in gradients], normalized_root_loss_sum(top, lr)
    else:
        sizes, predicted = [2 * root for root in roots], sqrt_loss_root_loss_sum(top, lr)
    return sum(roots) / predicted, lr * top / sizes[0], lr * top / sizes[1]
