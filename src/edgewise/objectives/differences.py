"""Every derivative of an objective against a finite difference of the one below it.

    gᵀv         ≈ [L(w + hv) − L(w − hv)] / 2h
    H v         ≈ [g(w + hv) − g(w − hv)] / 2h
    ∇(uᵀH v)    ≈ [H(w + hu)v − H(w − hu)v] / 2h

Each is compared tensor by tensor, so that a small layer is not lost among large ones. Three things keep a
right derivative from failing by accident: the point is moved a little off w, where a kink may sit (a ReLU of
exactly zero); a step that crosses a kink is followed by a smaller one; and the median over directions counts.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgewise.foundation import DerivativeError, Parameters, ParameterSpace, generator
from edgewise.objectives.objective import Objective

_DIRECTIONS = 3
_STEPS = (1e-4, 1e-6, 1e-8)
_OFF = 1e-2
# Rounding in a value, in units of ε times its size: sums of many terms, and cancellation inside a layer.
_ROUNDING = 30.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DerivativeCheck:
    """One derivative against its finite difference.

    Attributes:
        derivative: "gradient", "Hessian-vector product" or "third-order product".
        error: the relative error in the worst parameter tensor, median over directions; infinite where
            PyTorch has no such derivative, and where it is not finite.
        tolerance: what is allowed.
        worst: the name of that tensor.
    """

    derivative: str
    error: float
    tolerance: float
    worst: str

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


def compare(
    objective: Objective, w: Parameters, space: ParameterSpace, *, seed: int, rtol: float
) -> tuple[DerivativeCheck, DerivativeCheck, DerivativeCheck]:
    """Gradient, Hessian-vector product and third-order product near w, in the objective's precision."""
    directions = _Directions(space, seed, w)
    w = _off_kinks(objective, w, directions)
    return (
        _gradient(objective, w, directions, rtol),
        _product(objective, w, directions, rtol),
        _third(objective, w, directions, rtol),
    )


@final
class _Directions:
    """Random directions that weigh every parameter tensor alike, whatever its size."""

    def __init__(self, space: ParameterSpace, seed: int, like: Tensor) -> None:
        self.space, self.like = space, like
        self.random = generator(seed, "selfcheck")

    def everywhere(self) -> Parameters:
        """A unit vector with an equal part in every tensor."""
        parts = [self._unit(length) for length in self.space.lengths]
        return torch.cat(parts).to(self.like) / math.sqrt(len(parts))

    def within(self, tensor: int) -> Parameters:
        """A unit vector that moves one tensor only."""
        parts = [
            self._unit(length) if i == tensor else torch.zeros(length, dtype=torch.float64)
            for i, length in enumerate(self.space.lengths)
        ]
        return torch.cat(parts).to(self.like)

    def _unit(self, length: int) -> Tensor:
        part = torch.randn(length, generator=self.random, dtype=torch.float64)
        return part / part.norm()


def _off_kinks(objective: Objective, w: Parameters, directions: _Directions) -> Parameters:
    aside = w + _OFF * _scale(w) * directions.everywhere()
    return aside if bool(torch.isfinite(objective.gradient(aside)).all()) else w


def _gradient(objective: Objective, w: Parameters, directions: _Directions, rtol: float) -> DerivativeCheck:
    at = objective.at(w, products=False)
    slopes = at.gradient.split(directions.space.lengths)
    noise = float(at.value.abs())
    ours, moves, scales = [], [], []
    for i, slope in enumerate(slopes):
        for _ in range(_DIRECTIONS):
            moves.append(directions.within(i))
            ours.append(at.gradient @ moves[-1])
            scales.append(float(slope.norm()) / math.sqrt(len(slope)))  # what |gᵀv| is on average

    def errors(step: float) -> Tensor:
        h = step * _scale(w)
        found = []
        for mine, v, scale in zip(ours, moves, scales, strict=True):
            theirs = (objective.value(w + h * v) - objective.value(w - h * v)) / (2 * h)
            found.append(_relative(mine, theirs, noise / h, rtol, scale))
        return torch.tensor(found).view(len(slopes), _DIRECTIONS).T

    return _verdict("gradient", errors, directions.space, rtol)


def _product(objective: Objective, w: Parameters, directions: _Directions, rtol: float) -> DerivativeCheck:
    at = objective.at(w)
    noise = float(at.value.abs() + at.gradient.norm())
    moves = [directions.everywhere() for _ in range(_DIRECTIONS)]
    name = "Hessian-vector product"
    try:
        ours = [at.hvp(v) for v in moves]
    except DerivativeError:
        return DerivativeCheck(derivative=name, error=math.inf, tolerance=rtol, worst="")

    def errors(step: float) -> Tensor:
        h = step * _scale(w)
        theirs = [(objective.gradient(w + h * v) - objective.gradient(w - h * v)) / (2 * h) for v in moves]
        return _by_tensor(ours, theirs, noise / h, directions.space, rtol)

    return _verdict(name, errors, directions.space, rtol)


def _third(objective: Objective, w: Parameters, directions: _Directions, rtol: float) -> DerivativeCheck:
    at = objective.at(w)
    moves = [(directions.everywhere(), directions.everywhere()) for _ in range(_DIRECTIONS)]
    name = "third-order product"
    try:
        ours = [at.third(u, v) for u, v in moves]
        noise = max(float(at.hvp(v).norm()) for _, v in moves) + float(at.value.abs() + at.gradient.norm())
    except DerivativeError:
        return DerivativeCheck(derivative=name, error=math.inf, tolerance=rtol, worst="")

    def errors(step: float) -> Tensor:
        h = step * _scale(w)
        theirs = [(objective.at(w + h * u).hvp(v) - objective.at(w - h * u).hvp(v)) / (2 * h) for u, v in moves]
        return _by_tensor(ours, theirs, noise / h, directions.space, rtol)

    return _verdict(name, errors, directions.space, rtol)


def _scale(w: Parameters) -> float:
    return 1.0 + float(w.norm())


def _by_tensor(
    ours: list[Tensor], theirs: list[Tensor], noise: float, space: ParameterSpace, rtol: float
) -> Tensor:
    """Relative errors, one row a direction, one column a parameter tensor."""

    def row(mine: Tensor, other: Tensor) -> Iterator[float]:
        for a, b in zip(mine.split(space.lengths), other.split(space.lengths), strict=True):
            yield _relative(a, b, noise, rtol)

    return torch.tensor([list(row(mine, other)) for mine, other in zip(ours, theirs, strict=True)])


def _relative(ours: Tensor, theirs: Tensor, noise: float, rtol: float, scale: float = 0.0) -> float:
    """‖ours − theirs‖ over the larger of both; a difference that rounding alone makes counts as at most rtol."""
    floor = _ROUNDING * torch.finfo(ours.dtype).eps * noise / rtol
    error = float((ours - theirs).norm()) / max(float(ours.norm()), float(theirs.norm()), scale, floor, 1e-300)
    return error if math.isfinite(error) else math.inf


def _verdict(
    derivative: str, errors: Callable[[float], Tensor], space: ParameterSpace, rtol: float
) -> DerivativeCheck:
    best = torch.full((_DIRECTIONS, len(space.names)), math.inf)
    for step in _STEPS:
        best = torch.minimum(best, errors(step))
        middle = best.median(dim=0).values
        if float(middle.max()) <= rtol:
            break
    worst = int(middle.argmax())
    return DerivativeCheck(
        derivative=derivative, error=float(middle[worst]), tolerance=rtol, worst=space.names[worst]
    )
