"""Drifts with a memory: second moments, sums of squares, and the mean of all iterates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from edgewise.flows.stable.drift import Drift, Known, Motion, Seen
from edgewise.foundation import Parameters, SettingError, Vector
from edgewise.linalg import PositiveDiagonal
from edgewise.objectives import Point


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Moments(Drift):
    """A gradient divided by the root of its second moment.

        dw/dτ = −g/(√ν + ε),    η dν/dτ = ((1 − β₂)/β₂)(s − ν)/c,    s = g² or ‖g‖²

    ν is the average that a step divides by, which already holds that step's gradient: hence β₂ in the
    denominator. With bias correction ν stands for ν/(1 − β₂ᵗ), whose memory is shorter at first:
    c = 1 − β₂ᵗ at step t = 1 + τ/η, which is carried along as one more variable; else c = 1. A frozen ν rests.

    Attributes:
        beta2: β₂.
        eps: ε.
        by_parameter: whether every parameter has its ν.
        corrected: whether there is bias correction.
        first: ν at the start, in units of s.
        freeze_at: the number of steps that adapt; None for all.
        frozen: whether they are over.
    """

    beta2: float
    eps: float
    by_parameter: bool
    corrected: bool
    first: float
    freeze_at: int | None = None
    frozen: bool = False

    @property
    def remembers(self) -> bool:
        """Whether ν adapts: β₂ is a share per step."""
        return not self.frozen

    def beside(self, size: int) -> int:
        """ν, and the number of the step where that is needed."""
        return (size if self.by_parameter else 1) + self.corrected

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """ν after the first gradient, and the number of the first step where that is needed."""
        ν = self.first * self._square(gradient)
        return torch.cat([ν, ν.new_ones(1)]) if self.corrected else ν

    def after(self, step: int, known: Known) -> Drift:
        """Frozen from where the last step that adapts is about to be taken: ν holds its gradient already."""
        return replace(self, frozen=self.freeze_at is not None and step + 1 >= self.freeze_at)

    def preconditioner(self, seen: Seen) -> PositiveDiagonal | None:
        """√ν + ε for every parameter; none if they have one in common, which then is part of the edge."""
        if not self.by_parameter:
            return None
        return PositiveDiagonal(self._divisor(seen).expand(seen.w.shape[0]).clone())

    def held(self, state: Any, point: Point, gradient: Callable[[], Tensor], moments: Tensor) -> Any:
        """With ν if it is one number, on which the edge depends."""
        return state if self.by_parameter else replace(state, square_average=float(moments[0]))

    def at(self, seen: Seen) -> Motion:
        """P^(-1/2) H P^(-1/2) behind w; ν relaxes at its own rate, which adds to it."""
        P = self._divisor(seen)
        velocity, still = -seen.gradient / P, torch.zeros_like(seen.moments)
        least = float(P.min())
        metric = PositiveDiagonal(P.expand(seen.w.shape[0]).clone())
        if self.frozen:
            return Motion(
                velocity=torch.cat([velocity, still]), metric=metric, rate=lambda S: S + seen.shift / least
            )
        rate = (1.0 - self.beta2) / (self.beta2 * seen.eta)
        if self.corrected:
            rate /= 1.0 - self.beta2 ** max(1.0, float(seen.moments[-1]))
        ν = self._moment(seen)
        pull = rate * (self._square(seen.gradient) - ν)
        parts = [velocity, pull, *([pull.new_full((1,), 1.0 / seen.eta)] if self.corrected else [])]
        return Motion(velocity=torch.cat(parts), metric=metric, rate=lambda S: S + seen.shift / least + rate)

    def _moment(self, seen: Seen) -> Tensor:
        return seen.moments[:-1] if self.corrected else seen.moments

    def _divisor(self, seen: Seen) -> Tensor:
        return self._moment(seen).clamp_min(0.0).sqrt() + self.eps

    def _square(self, gradient: Tensor) -> Tensor:
        return gradient * gradient if self.by_parameter else (gradient @ gradient)[None]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Summed(Drift):
    """A gradient divided by the root of the sum of its squares: Adagrad.

        dw/dτ = −g/P,    P = (1 + (t − 1)δ)(√s + ε),    η ds/dτ = g²,    t = 1 + τ/η

    s is the sum that a step divides by, which already holds that step's gradient. t is carried along beside it.

    Attributes:
        initial: s before the first gradient.
        decay: δ.
        eps: ε.
    """

    initial: float
    decay: float
    eps: float

    @property
    def remembers(self) -> bool:
        """Yes: every step adds its square, however long."""
        return True

    def beside(self, size: int) -> int:
        """s and t."""
        return size + 1

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """s after the first gradient, and t = 1."""
        return torch.cat([gradient * gradient + self.initial, w.new_ones(1)])

    def preconditioner(self, seen: Seen) -> PositiveDiagonal:
        """(1 + (t − 1)δ)(√s + ε)."""
        s, t = seen.moments[:-1], max(1.0, float(seen.moments[-1]))
        return PositiveDiagonal((s.clamp_min(0.0).sqrt() + self.eps) * (1.0 + (t - 1.0) * self.decay))

    def at(self, seen: Seen) -> Motion:
        """P^(-1/2) H P^(-1/2) behind w; s has no rate of its own."""
        metric, g = self.preconditioner(seen), seen.gradient
        least = float(metric.entries.min())
        parts = [-g / metric.entries, g * g / seen.eta, g.new_full((1,), 1.0 / seen.eta)]
        return Motion(velocity=torch.cat(parts), metric=metric, rate=lambda S: S + seen.shift / least)


@final
@dataclass(frozen=True, slots=True)
class Averaged(Drift):
    """Gradient steps of a sequence z whose mean x takes part: schedule-free averaging.

        w = (1 − β) z + β x,    dz/dτ = −g,    dx/dτ = (z − x)/(ηt),    t = 1 + τ/η

    Beside w there are D = z − x, zero at the start, and t, the number of sequences in the mean: with z = w + βD

        dw/dτ = −(1 − β) g + β D/(ηt),    dD/dτ = −g − D/(ηt).

    At a fixed η the weight 1/(ηt) is 1/(τ + η): the mean of all z from −η on, where it stood still.

    Attributes:
        beta: β.
    """

    beta: float

    @property
    def remembers(self) -> bool:
        """Yes: every step has the same weight, however long."""
        return True

    def beside(self, size: int) -> int:
        """D and t."""
        return size + 1

    def begin(self, w: Parameters, gradient: Parameters) -> Vector:
        """D = 0, t = 1."""
        return torch.cat([torch.zeros_like(w), w.new_ones(1)])

    def at(self, seen: Seen) -> Motion:
        """A mode of curvature S and its D obey [[(1 − β)S, −β/ηt], [S, 1/ηt]], bounded by its norm, balanced."""
        D, entering = seen.moments[:-1], 1.0 / (seen.eta * max(1.0, float(seen.moments[-1])))
        moved = entering * D
        parts = [
            (self.beta - 1.0) * seen.gradient + self.beta * moved,
            -seen.gradient - moved,
            moved.new_full((1,), 1.0 / seen.eta),
        ]

        def rate(S: float) -> float:
            S += seen.shift
            return max((1.0 - self.beta) * S, entering) + (self.beta * S * entering) ** 0.5

        return Motion(velocity=torch.cat(parts), rate=rate)


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
