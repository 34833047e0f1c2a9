"""What an integrator is, and what it integrates.

The flows of this room are y' = f(y) where −f' is nearly symmetric: its eigenvalues are nearly real, a few of them
large. A vector field gives, at a point, its velocity and the symmetric operator whose largest eigenvalue says how
stiff it is; an integrator takes one step of a given length, and says how far off it may be.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from edgewise.foundation import SettingError, Vector
from edgewise.linalg import Operator


def _itself(curvature: float) -> float:
    return curvature


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """A vector field at one point.

    Attributes:
        velocity: f(y).
        curvature: the symmetric operator behind −f'(y).
        rate: from the largest eigenvalue of `curvature` to a bound of the spectral radius of f'(y).
    """

    velocity: Tensor
    curvature: Operator
    rate: Callable[[float], float] = _itself


class VectorField(ABC):
    """The right-hand side f of y' = f(y).

    The first `size` entries of y are the parameters; what comes after goes along with them. Lengths, and so
    tolerances, are those of the parameters.

    Attributes:
        size: how many entries of y are parameters.
        gradients: what one evaluation costs, in gradients.
    """

    size: int
    gradients: int = 1

    @abstractmethod
    def at(self, y: Vector, *, curvature: bool = False) -> Place:
        """Velocity and curvature at y.

        Args:
            y: where.
            curvature: whether products of the curvature are going to be asked for.
        """

    def length(self, v: Vector) -> float:
        """The Euclidean norm of the parameters' share of v."""
        return float(v[: self.size].norm())


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """What a step came to, before anybody has accepted it.

    Attributes:
        displacement: y(t + h) − y(t).
        end: the field at the step's end.
        evaluations: how often f was evaluated, the end included, the start not.
        error: an estimate of the local error; None from an integrator that has none.
        error_order: q, where that estimate is O(h^q).
        memory: what the next step is to know about this one.
    """

    displacement: Tensor
    end: Place
    evaluations: int
    error: Tensor | None = None
    error_order: int = 1
    memory: Tensor | None = None


class Integrator(ABC):
    """One step of a Runge–Kutta method for y' = f(y)."""

    __slots__ = ()

    @property
    @abstractmethod
    def order(self) -> int:
        """p: the error at a fixed time is O(hᵖ)."""

    @property
    def reading_every(self) -> int:
        """How many evaluations are spent before the spectral radius is measured again."""
        return 12

    @property
    def fastest(self) -> float:
        """By how much a step may be longer than the one before."""
        return 5.0

    @abstractmethod
    def longest(self, radius: float) -> float:
        """The longest step that it takes at this spectral radius."""

    @abstractmethod
    def step(
        self,
        field: VectorField,
        y: Vector,
        velocity: Vector,
        h: float,
        radius: float,
        memory: Vector | None = None,
        ratio: float = 1.0,
    ) -> Trial:
        """A step of length h from y.

        Args:
            field: f.
            y: where the step starts.
            velocity: f(y).
            h: the length, at most `longest(radius)`.
            radius: a bound of the spectral radius of f' along the step.
            memory: that of the step before; None at the start.
            ratio: h over the length of the step before.
        """


class Stabilized(Integrator):
    """A Chebyshev method: the more stages a step has, the further it reaches down the negative real axis.

    Attributes:
        max_stages: the most stages of one step; longer steps are not taken.
    """

    __slots__ = ()

    max_stages: int

    @abstractmethod
    def reach(self, stages: int) -> float:
        """How far down the negative real axis a step of so many stages is stable."""

    @abstractmethod
    def stages(self, stiffness: float) -> int:
        """The fewest stages that are stable where the step times the spectral radius is `stiffness`."""

    def longest(self, radius: float) -> float:
        """What the most stages allow."""
        return self.reach(self.max_stages) / radius if radius > 0.0 else math.inf


def require_integrator(integrator: Any) -> None:
    """Refuse who cannot take the steps, such as the name of an integrator, or its class."""
    if not isinstance(integrator, Integrator):
        raise SettingError(
            f"integrator={integrator!r:.60}",
            f"an integrator takes the steps, and that is of type {type(integrator).__name__}",
            "Type integrator=RK4(), or leave it out",
        )


def require_stages(max_stages: Any, least: int, why: str) -> None:
    """Refuse fewer stages than a step takes."""
    if not isinstance(max_stages, int) or isinstance(max_stages, bool):
        raise SettingError(f"max_stages={max_stages!r:.60}", "stages are counted in an int", "Type max_stages=150")
    if max_stages < least:
        raise SettingError(f"max_stages={max_stages}", why, "Type max_stages=150")
