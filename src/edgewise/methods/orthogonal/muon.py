"""Muon: averaged gradients made orthogonal, matrix by matrix, by a Newton–Schulz iteration.

The iteration is an odd polynomial of the singular values, so it is a preconditioner too: a function of M Mᵀ.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters, ParameterSpace, SettingError
from edgewise.methods.method import Method
from edgewise.methods.moving_average import averaged_companion, averaged_critical_curvature
from edgewise.methods.orthogonal.newton_schulz import Eigenbasis, MatrixPreconditioner, eigenbasis, newton_schulz
from edgewise.methods.requirements import require_count, require_decay, require_flag, require_share, shown
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class MuonState:
    """What Muon carries.

    Attributes:
        step: the number of steps taken.
        average: m, the average of the gradient; zero at the start.
    """

    step: int
    average: Tensor


@final
@dataclass(frozen=True, slots=True)
class Muon(Method[MuonState]):
    """Gradient descent with averaged momentum, orthogonalised matrix by matrix.

        m' = μ m + (1 − μ) g,    M = (1 − μ) g + μ m' (Nesterov) or m',    g = ∇L(w)
        w' = (1 − ηγ) w − η s f(M),    s = √max(1, rows/columns)

    for every matrix among the parameters; f(U σ Vᵀ) = U f(σ) Vᵀ are `steps` iterations of Newton and Schulz, a
    polynomial that brings every singular value near one (between 0.7 and 1.2). Parameters that are no matrix
    (biases, kernels of a convolution) take the step M itself: w' = (1 − ηγ) w − η M.

    The preconditioner of a step is what M is divided by: U diag(σ/(s f(σ))) Uᵀ, about (M Mᵀ)^(1/2), acting on the
    shorter side of the matrix. It exists for a singular M too, since f rises linearly from zero. In its metric
    a mode of curvature λ obeys the recursion of Nesterov's or of heavy-ball momentum at the step size (1 − μ)η:
    the critical curvature is (1 + μ)(2 − ηγ)/((1 − μ)(1 + 2μ)η) with Nesterov and (1 + μ)(2 − ηγ)/((1 − μ)η)
    without. That holds with P at rest; but P is made of the momentum alone and follows it at once, so that a
    growing oscillation is cut to the length of a step, and the effective sharpness does not settle there as
    it does for Adam.

    Equal to `torch.optim.Muon(lr=η, momentum=μ, weight_decay=γ)`, whose γ is 0.1 if none is given.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        momentum: μ in [0, 1), the share of m that is kept.
        nesterov: whether the step looks ahead along the momentum.
        steps: iterations of Newton and Schulz.
        shapes: of all tensors behind w, in order; None takes them from the parameter space by `on`.
        weight_decay: γ ≥ 0, decoupled.
        match_rms: s = 0.2 √max(rows, columns) instead: steps as long as those of Adam.
        precision: of the iteration; bfloat16 as in PyTorch, None that of w.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> round(Muon(0.02, momentum=0.5).critical_curvature, 6)
        150.0

    References:
        jordan2024muon, liu2025muon
    """

    lr: float | int | Schedule
    momentum: float | int = 0.95
    nesterov: bool = True
    steps: int = 5
    shapes: tuple[tuple[int, ...], ...] | None = None
    weight_decay: float | int = 0.0
    match_rms: bool = False
    precision: torch.dtype | None = torch.bfloat16

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_share("momentum", self.momentum, "Type momentum=0.95")
        require_decay("weight_decay", self.weight_decay)
        require_count("steps", self.steps, 1, "without an iteration nothing is made orthogonal", "Type steps=5")
        require_flag("nesterov", self.nesterov)
        require_flag("match_rms", self.match_rms)
        if self.shapes is not None and not _are_shapes(self.shapes):
            raise SettingError(
                f"shapes={shown(self.shapes)}",
                "it takes a tuple with the shape of every tensor, each a tuple of positive whole numbers",
                "Type shapes=((8, 3), (8,)), or leave it out and take method.on(objective.space)",
            )
        if self.precision is not None and not _is_floating(self.precision):
            raise SettingError(
                f"precision={shown(self.precision)}",
                "the iteration is done in floating-point numbers of some dtype",
                "Type precision=torch.bfloat16, or precision=None for that of w",
            )

    def on(self, space: ParameterSpace | None) -> "Muon":
        """With the shapes of `space`, if it has none of its own."""
        return self if space is None or self.shapes is not None else replace(self, shapes=space.shapes)

    def init(self, w: Parameters) -> MuonState:
        """Nothing seen yet: m = 0.

        Raises:
            SettingError: if the shapes are not known, or are not those of w.
        """
        if self.shapes is None:
            raise SettingError(
                "Muon without shapes",
                "which entries of w make a matrix decides on its step",
                "Type Muon(lr, shapes=((8, 3), (8,))), or method.on(objective.space)",
            )
        if sum(map(prod, self.shapes)) != w.shape[0]:
            raise SettingError(
                f"shapes={self.shapes} and {w.shape[0]} parameters",
                f"the shapes have {sum(map(prod, self.shapes))} entries",
                "Type method.on(objective.space), or the shapes of all tensors behind w in order",
            )
        return MuonState(step=0, average=w.new_zeros(w.shape))

    def step(self, w: Parameters, gradient: Parameters, state: MuonState) -> tuple[Parameters, MuonState]:
        """(1 − ηγ) w − η s f(M), and one more step counted."""
        eta = self.step_size_at(state)
        average, M = self._see(gradient, state)
        w = w.mul(1 - eta * self.weight_decay)
        for old, new, shape in self._tensors(w, M):
            if len(shape) == 2:
                new = newton_schulz(new, self.steps, self.precision)
            old.add_(new, alpha=-eta * self._scale(shape))
        return w, MuonState(step=state.step + 1, average=average)

    def step_size_at(self, state: MuonState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: MuonState) -> MatrixPreconditioner:
        """P with P⁻¹ M = s f(M), from the singular values of M; the identity on what is no matrix.

        They are found when P is asked for a power or a product, which refuses a momentum that is not finite.
        """
        _, M = self._see(gradient, state)

        def decompose() -> list[Eigenbasis | None]:
            return [
                eigenbasis(matrix, self.steps, self._scale(shape)) if len(shape) == 2 else None
                for _, matrix, shape in self._tensors(w, M)
            ]

        return MatrixPreconditioner(self._known_shapes(), decompose, M)

    def companion(self, curvature: float, state: MuonState | None = None) -> NDArray[np.float64]:
        """[[1 − ηγ + μ − η(1 − μ²)λ, ημ(1 − μ)λ − μ(1 − ηγ)], [1, 0]]: from (w, w₋) to (w', w) with Nesterov."""
        eta, mu = step_size_in(self.lr, state), self.momentum
        companion = averaged_companion(eta, mu, self.weight_decay, curvature)
        if self.nesterov:
            push = eta * (1.0 - mu) * curvature
            companion[0] += [-mu * push, mu * push]
        return companion

    @property
    def critical_curvature(self) -> float | Callable[[MuonState], float]:
        """(1 + μ)(2 − ηγ)/((1 − μ)(1 + 2μ)η) with Nesterov, (1 + μ)(2 − ηγ)/((1 − μ)η) without."""
        return by_step_size(self.lr, self._critical)

    @property
    def critical_formula(self) -> str:
        """`(1+μ)(2−ηγ)/((1−μ)(1+2μ)η)` with Nesterov."""
        return "(1+μ)(2−ηγ)/((1−μ)(1+2μ)η)" if self.nesterov else "(1+μ)(2−ηγ)/((1−μ)η)"

    def _critical(self, eta: float | int) -> float:
        ahead = 1.0 + 2.0 * self.momentum if self.nesterov else 1.0
        return averaged_critical_curvature(eta, self.momentum, self.weight_decay) / ahead

    def _see(self, gradient: Parameters, state: MuonState) -> tuple[Parameters, Parameters]:
        """m' and M, in PyTorch's order of operations."""
        average = state.average.lerp(gradient, 1 - self.momentum)
        return average, gradient.lerp(average, self.momentum) if self.nesterov else average

    def _scale(self, shape: tuple[int, ...]) -> float:
        if len(shape) != 2:
            return 1.0
        return 0.2 * math.sqrt(max(shape)) if self.match_rms else math.sqrt(max(1.0, shape[0] / shape[1]))

    def _known_shapes(self) -> tuple[tuple[int, ...], ...]:
        if self.shapes is None:
            raise AssertionError("`init` refuses a method without shapes")
        return self.shapes

    def _tensors(self, *vectors: Tensor) -> Iterator[tuple[Tensor, Tensor, tuple[int, ...]]]:
        """The tensors behind two flat vectors, as views, and their shapes."""
        shapes = self._known_shapes()
        first, second = (vector.split([prod(shape) for shape in shapes]) for vector in vectors)
        for one, other, shape in zip(first, second, shapes, strict=True):
            yield one.view(shape), other.view(shape), shape


def _are_shapes(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(shape, tuple) and all(map(_is_length, shape)) for shape in value
    )


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_floating(value: Any) -> bool:
    return isinstance(value, torch.dtype) and value.is_floating_point
