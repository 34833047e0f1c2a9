"""Where a method goes in the long run when nothing oscillates: its drift, from which its stable flow is made.

A drift is what is left of a method as its step size goes to zero. Momentum has died out, and only lengthens the
step; what the method averages over many steps (a second moment) stays as a variable of its own. Time is counted in
step sizes, so that a drift holds no η unless its memory is counted in steps.

    Drift
    ├── Along        −c ∇L(w): gradient descent, with and without momentum or noise
    ├── Normalized   −∇L/‖∇L‖
    ├── Rooted       −∇√(L − min L)
    ├── Ascended     −∇L(w + ρ ∇L/‖∇L‖)
    ├── Moments      −∇L/(√ν + ε), with ν following the squared gradient
    └── Decayed      another drift, with weight decay through the gradient or beside it
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from edgewise.curvature import EffectiveHessian, Hessian
from edgewise.flows.integrators import Place
from edgewise.foundation import Parameters, SettingError, Vector
from edgewise.linalg import PositiveDiagonal
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What a drift is computed from.

    Attributes:
        objective: L.
        point: L at w.
        gradient: what the method takes as its gradient: ∇L(w), with weight decay γ w where that is coupled.
        shift: by how much coupled decay raises the curvature.
        moments: the variables beside w.
        eta: η.
    """

    objective: Objective
    point: Point
    gradient: Tensor
    shift: float
    moments: Tensor
    eta: float


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

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """The variables beside w, where a method starts at w with this gradient."""
        return gradient.new_zeros(0)

    def divisor(self, moments: Tensor) -> Tensor | None:
        """P, by which the gradient is divided: one entry or one for each parameter; None for one."""
        return None

    @abstractmethod
    def at(self, seen: Seen) -> Place:
        """The velocity of w and of what is beside it, and the curvature behind it."""


@final
@dataclass(frozen=True, slots=True)
class Along(Drift):
    """dw/dτ = −c g.

    Attributes:
        scale: c, the long-run length of a step in units of η: 1/(1 − β) with heavy ball and Nesterov.
    """

    scale: float = 1.0

    def at(self, seen: Seen) -> Place:
        """−c g, with c H behind it."""
        return _plain(seen, -self.scale * seen.gradient, lambda S: self.scale * (S + seen.shift))


@final
@dataclass(frozen=True, slots=True)
class Normalized(Drift):
    """dw/dτ = −g/‖g‖: unit speed, towards a minimum that it reaches in finite time."""

    def at(self, seen: Seen) -> Place:
        """−g/‖g‖; the projected H/‖g‖ behind it is bounded by H/‖g‖."""
        norm = float(seen.gradient.norm())
        if norm == 0.0:
            return _plain(seen, torch.zeros_like(seen.gradient), lambda S: 0.0)
        return _plain(seen, seen.gradient / -norm, lambda S: (S + seen.shift) / norm)


@final
@dataclass(frozen=True, slots=True)
class Rooted(Drift):
    """dw/dτ = −∇√(L − min L) = −g/(2√(L − min L)).

    Attributes:
        minimum: min L.
    """

    minimum: float

    def at(self, seen: Seen) -> Place:
        """The rank-one part of the curvature of √(L − min L) is negative: H/(2√(L − min L)) bounds it."""
        excess = float(seen.point.value) - self.minimum
        if excess <= 0.0:
            return _plain(seen, torch.zeros_like(seen.gradient), lambda S: 0.0)
        root = 2.0 * math.sqrt(excess)
        return _plain(seen, seen.gradient / -root, lambda S: (S + seen.shift) / root)


@final
@dataclass(frozen=True, slots=True)
class Ascended(Drift):
    """dw/dτ = −∇L(w + ρ g/‖g‖).

    Attributes:
        rho: ρ.
    """

    rho: float

    @property
    def gradients(self) -> int:
        """2."""
        return 2

    def at(self, seen: Seen) -> Place:
        """A mode of curvature S sees S (1 + ρS/‖g‖)."""
        norm = float(seen.gradient.norm())
        if norm == 0.0:
            return _plain(seen, torch.zeros_like(seen.gradient), lambda S: S)
        above = seen.point.w.add(seen.gradient, alpha=self.rho / norm)
        velocity = -seen.objective.gradient(above)
        return _plain(seen, velocity, lambda S: S * (1.0 + self.rho * S / norm))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Moments(Drift):
    """A gradient divided by the root of its second moment.

        dw/dτ = −g/(√ν + ε),    η dν/dτ = ((1 − β₂)/β₂)(s − ν)/c,    s = g² or ‖g‖²

    ν is the average that a step divides by, which already holds that step's gradient: hence β₂ in the
    denominator. With bias correction ν stands for ν/(1 − β₂ᵗ), whose memory is shorter at first:
    c = 1 − β₂ᵗ at step t = 1 + τ/η, which is carried along as one more variable; else c = 1.

    Attributes:
        beta2: β₂.
        eps: ε.
        by_parameter: whether every parameter has its ν.
        corrected: whether there is bias correction.
        first: ν at the start, in units of s.
    """

    beta2: float
    eps: float
    by_parameter: bool
    corrected: bool
    first: float

    @property
    def remembers(self) -> bool:
        """Yes: β₂ is a share per step."""
        return True

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """ν after the first gradient, and the number of the first step where that is needed."""
        ν = self.first * self._square(gradient)
        return torch.cat([ν, ν.new_ones(1)]) if self.corrected else ν

    def divisor(self, moments: Tensor) -> Tensor:
        """√ν + ε."""
        ν = moments[:-1] if self.corrected else moments
        return ν.clamp_min(0.0).sqrt() + self.eps

    def at(self, seen: Seen) -> Place:
        """P^(-1/2) H P^(-1/2) behind w; ν relaxes at its own rate, which adds to it."""
        P = self.divisor(seen.moments)
        velocity = -seen.gradient / P
        rate = (1.0 - self.beta2) / (self.beta2 * seen.eta)
        if self.corrected:
            rate /= 1.0 - self.beta2 ** max(1.0, float(seen.moments[-1]))
        ν = seen.moments[:-1] if self.corrected else seen.moments
        pull = rate * (self._square(seen.gradient) - ν)
        parts = [velocity, pull, *([pull.new_full((1,), 1.0 / seen.eta)] if self.corrected else [])]
        least = float(P.min())
        hessian = Hessian.at(seen.point)
        if self.by_parameter:
            curvature = EffectiveHessian(hessian, PositiveDiagonal(P))
            return Place(
                velocity=torch.cat(parts), curvature=curvature, rate=lambda S: S + seen.shift / least + rate
            )
        return Place(velocity=torch.cat(parts), curvature=hessian, rate=lambda S: (S + seen.shift) / least + rate)

    def _square(self, gradient: Tensor) -> Tensor:
        return gradient * gradient if self.by_parameter else (gradient @ gradient)[None]


@final
@dataclass(frozen=True, slots=True)
class Decayed(Drift):
    """Another drift with weight decay: that of g + γ w (coupled), or with −γ w beside it (decoupled).

    Attributes:
        inner: the other.
        decay: γ.
        coupled: whether the decay goes through the gradient.
    """

    inner: Drift
    decay: float
    coupled: bool

    @property
    def gradients(self) -> int:
        """Those of the other."""
        return self.inner.gradients

    @property
    def remembers(self) -> bool:
        """Whether the other does."""
        return self.inner.remembers

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """Those of the other, by its gradient."""
        return self.inner.begin(w, gradient.add(w, alpha=self.decay) if self.coupled else gradient)

    def divisor(self, moments: Tensor) -> Tensor | None:
        """That of the other."""
        return self.inner.divisor(moments)

    def at(self, seen: Seen) -> Place:
        """The other one's, by g + γ w, or with γ w taken off the velocity and γ added to the rate."""
        w = seen.point.w
        if self.coupled:
            gradient = seen.gradient.add(w, alpha=self.decay)
            return self.inner.at(replace(seen, gradient=gradient, shift=seen.shift + self.decay))
        place = self.inner.at(seen)
        velocity = place.velocity.clone()
        velocity[: w.shape[0]].add_(w, alpha=-self.decay)
        rate = place.rate
        return Place(velocity=velocity, curvature=place.curvature, rate=lambda S: rate(S) + self.decay)


def require_memory(given: str, beta2: float) -> None:
    """Refuse a second moment without memory: its flow is the sign of the gradient, which jumps.

    Raises:
        SettingError: if β₂ is zero.
    """
    if beta2 == 0.0:
        raise SettingError(
            given,
            "a second moment without memory divides the gradient by its own size, and that flow jumps where an "
            "entry changes its sign",
            "Type beta2=0.9 or more",
        )


def _plain(seen: Seen, velocity: Tensor, rate: Callable[[float], float]) -> Place:
    return Place(velocity=velocity, curvature=Hessian.at(seen.point), rate=rate)
