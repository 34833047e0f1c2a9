"""Where a method goes in the long run when nothing oscillates: its drift, from which its stable flow is made.

A drift is what is left of a method as its step size goes to zero. Momentum has died out, and only lengthens the
step; what the method averages over many steps (a second moment, the iterates) stays as a variable of its own. Time
is counted in step sizes, so that a drift holds no η unless its memory is counted in steps.

    Drift
    ├── Along           −c ∇L(w): gradient descent, with and without momentum or noise
    ├── Normalized      −∇L/‖∇L‖
    ├── Rooted          −∇√(L − min L)
    ├── Ascended        −∇L(w + ρ ∇L/‖∇L‖)
    ├── Orthogonalized  −f(∇L), matrix by matrix
    ├── Moments         −∇L/(√ν + ε), with ν following the squared gradient, or frozen
    ├── Summed          −∇L/(√s + ε), with s the sum of the squared gradients
    ├── Averaged        −∇L on a sequence whose running mean takes part
    ├── Decayed         another drift, with weight decay through the gradient or beside it
    ├── Shown           another drift, of a part of the gradient
    └── Groups          other drifts, each on a slice of the parameters
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from edgewise.curvature import TrackerState
from edgewise.flows.cost import Cost
from edgewise.foundation import Parameters, Vector
from edgewise.linalg import Operator, Preconditioner
from edgewise.objectives import Objective, Point

Known = tuple[TrackerState, ...]
"""The dominant subspaces that a method measures, outermost first."""


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What a drift is computed from.

    Attributes:
        point: L at all parameters.
        w: the parameters that the drift moves.
        gradient: what the method takes as its gradient: what it looks at, with weight decay γ w where that is
            coupled.
        shift: by how much coupled decay raises the curvature.
        moments: the variables beside w.
        eta: η.
    """

    point: Point
    w: Tensor
    gradient: Tensor
    shift: float
    moments: Tensor
    eta: float


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """What a drift does at one place.

    Attributes:
        velocity: of w and of what is beside it.
        rate: from the largest eigenvalue of M^(-1/2) Π H Π M^(-1/2) to a bound of how fast anything relaxes.
        metric: M; None for the identity.
        within: Π, an orthogonal projection that commutes with H; None for the identity.
    """

    velocity: Tensor
    rate: Callable[[float], float]
    metric: Preconditioner | None = None
    within: Operator | None = None


class Drift(ABC):
    """A velocity field on w and the variables beside it, per unit of accumulated step size."""

    __slots__ = ()

    @property
    def gradients(self) -> int:
        """How many gradients one evaluation takes."""
        return 1

    @property
    def remembers(self) -> bool:
        """Whether something in it is counted in steps, and so depends on η."""
        return False

    def beside(self, size: int) -> int:
        """How many variables there are beside so many parameters."""
        return 0

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """The variables beside w, where a method starts at w with this gradient."""
        return gradient.new_zeros(0)

    def measure(self, point: Point, step: int, known: Known) -> tuple[Known, Cost]:
        """What is known of the curvature from step number `step` on, and what that took.

        Args:
            point: L where the flow is at that step.
            step: the number of steps of the method so far.
            known: the same before; empty at first.
        """
        return known, Cost()

    def after(self, step: int, known: Known) -> "Drift":
        """The drift as it is from step number `step` on, with what is known of the curvature then."""
        return self

    def look(self, objective: Objective, point: Point) -> Parameters:
        """What the method takes as its gradient."""
        return point.gradient

    def preconditioner(self, seen: Seen) -> Preconditioner | None:
        """P, by which the gradient is divided; None for one."""
        return None

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """The method's `state`, with what the method would have seen of L where the flow is.

        Args:
            state: as the method has it that has settled there.
            point: L where the flow is.
            gradient: what of its gradient the method is shown; computed when it is asked for.
            moments: the variables beside w.
        """
        return state

    @abstractmethod
    def at(self, seen: Seen) -> Motion:
        """The velocity of w and of what is beside it, and how fast that relaxes."""


@final
@dataclass(frozen=True, slots=True)
class Along(Drift):
    """dw/dτ = −c g.

    Attributes:
        scale: c, the long-run length of a step in units of η: 1/(1 − β) with heavy ball and Nesterov.
    """

    scale: float = 1.0

    def at(self, seen: Seen) -> Motion:
        """−c g, with c H behind it."""
        return Motion(velocity=-self.scale * seen.gradient, rate=lambda S: self.scale * (S + seen.shift))


@final
@dataclass(frozen=True, slots=True)
class Normalized(Drift):
    """dw/dτ = −g/‖g‖: unit speed, towards a minimum that it reaches in finite time."""

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """With ‖g‖."""
        return replace(state, gradient_norm=float(gradient().norm()))

    def at(self, seen: Seen) -> Motion:
        """−g/‖g‖; the projected H/‖g‖ behind it is bounded by H/‖g‖."""
        norm = float(seen.gradient.norm())
        if norm == 0.0:
            return _at_rest(seen)
        return Motion(velocity=seen.gradient / -norm, rate=lambda S: (S + seen.shift) / norm)


@final
@dataclass(frozen=True, slots=True)
class Rooted(Drift):
    """dw/dτ = −∇√(L − min L) = −g/(2√(L − min L)).

    Attributes:
        minimum: min L.
    """

    minimum: float

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """With √(L − min L)."""
        return replace(state, root=math.sqrt(max(0.0, float(point.value) - self.minimum)))

    def at(self, seen: Seen) -> Motion:
        """The rank-one part of the curvature of √(L − min L) is negative: H/(2√(L − min L)) bounds it."""
        excess = float(seen.point.value) - self.minimum
        if excess <= 0.0:
            return _at_rest(seen)
        root = 2.0 * math.sqrt(excess)
        return Motion(velocity=seen.gradient / -root, rate=lambda S: (S + seen.shift) / root)


@final
@dataclass(frozen=True, slots=True)
class Ascended(Drift):
    """dw/dτ = −∇L(w + ρ ∇L/‖∇L‖).

    Attributes:
        rho: ρ.
    """

    rho: float

    @property
    def gradients(self) -> int:
        """2."""
        return 2

    def look(self, objective: Objective, point: Point) -> Parameters:
        """The gradient uphill, or at w where there is no uphill."""
        norm = float(point.gradient.norm())
        return point.gradient if norm == 0.0 else objective.gradient(point.w + point.gradient * (self.rho / norm))

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """With ‖∇L(w)‖."""
        return replace(state, gradient_norm=float(point.gradient.norm()))

    def at(self, seen: Seen) -> Motion:
        """A mode of curvature S sees S (1 + ρS/‖∇L‖)."""
        norm = float(seen.point.gradient.norm())
        lift = self.rho / norm if norm > 0.0 else 0.0
        return Motion(velocity=-seen.gradient, rate=lambda S: S * (1.0 + lift * S))


def _at_rest(seen: Seen) -> Motion:
    return Motion(velocity=torch.zeros_like(seen.gradient), rate=lambda S: 0.0)
