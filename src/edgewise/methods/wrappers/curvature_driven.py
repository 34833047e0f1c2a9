"""A step size driven by the measured curvature: any method, held at a set distance from its edge."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters, ParameterSpace, SettingError, generator
from edgewise.linalg import BlockKrylov, Function, Identity, Lanczos, Operator, Preconditioner
from edgewise.methods.descent import length
from edgewise.methods.method import AnyMethod, Method, layers, require_method
from edgewise.methods.requirements import require_measurements, require_number, require_seed
from edgewise.methods.schedules import Schedule, require_step_size
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtEdgeRatioState:
    """What a curvature-driven step size carries.

    Attributes:
        step: the number of steps taken.
        method: the state of the method inside.
        step_size: η of the coming step.
        sharpness: the largest effective eigenvalue when it was last measured; None before.
        block: the vectors from which the next measurement starts, as columns; None before the first.
    """

    step: int
    method: Any
    step_size: float
    sharpness: float | None
    block: Tensor | None


@final
@dataclass(frozen=True, slots=True)
class AtEdgeRatio(Method[AtEdgeRatioState]):
    """A method whose step size keeps the edge ratio, sharpness ÷ critical curvature, at a set value.

        η ← the largest step size with λ₁ ≤ ratio · critical(η),    η ≤ growth · η₋,    η ≤ largest

    so η = 2 ratio/λ₁ for gradient descent. λ₁ is the largest eigenvalue of P^(-1/2) H P^(-1/2) at w, measured by
    Lanczos at first and from then on by block Krylov from the last vectors and a fresh random direction, with
    8 to 14 products a time. The step size falls at once and rises by a factor at most. With `ratio` below one
    the method never comes to its edge, whatever the curvature does; at one it is held there from below.

    Curvature-aware warm-up is the same with a ceiling: start low, say where to, and η rises to `largest` only as
    fast as the curvature gets out of its way,

        AtEdgeRatio(GradientDescent(1e-4), ratio=0.9, growth=1.05, largest=0.02).

    Weight decay goes inside: the critical curvature is then the one with decay.

    Args:
        method: any method at a fixed step size, which is that of the first step until curvature is measured.
        ratio: the edge ratio to keep, positive.
        every: steps between measurements; η is constant in between.
        rtol: bound of the error of λ₁, relative to it.
        growth: the largest factor by which η rises from one measurement to the next, above 1.
        largest: what η never exceeds; None for no ceiling.
        seed: of the random directions.

    Raises:
        SettingError: if an argument is outside its range, or the method's step size is scheduled or driven by the
            curvature already.

    Example:
        >>> import torch
        >>> from edgewise.methods import GradientDescent
        >>> from edgewise.objectives import Objective
        >>> bowl = Objective.from_function(lambda w: 25.0 * w.square().sum(), 3, start=torch.ones(3))
        >>> method = AtEdgeRatio(GradientDescent(0.1), ratio=0.5)
        >>> _, state = method.look(bowl, bowl.at(bowl.start), method.init(bowl.start))
        >>> round(state.sharpness, 6), round(method.step_size_at(state), 6)
        (50.0, 0.02)

    References:
        cohen2021gradient, kalra2024warmup
    """

    method: AnyMethod
    ratio: float | int = 1.0
    every: int = 1
    rtol: float = 1e-3
    growth: float | int = 1.1
    largest: float | int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_method("AtEdgeRatio", self.method)
        require_seed(self.seed)
        if isinstance(self.method.lr, Schedule):
            raise SettingError(
                f"AtEdgeRatio around a method with lr={self.method.lr}",
                "the curvature sets the step size, and a schedule would too",
                "Give the method a number, as in AtEdgeRatio(GradientDescent(0.01))",
            )
        if any(isinstance(layer, AtEdgeRatio) for layer in layers(self.method)):
            raise SettingError(
                "AtEdgeRatio around AtEdgeRatio",
                "the inner one keeps a step size of its own, which the outer one could not set",
                "Type AtEdgeRatio(method, ratio) with a method at a fixed step size",
            )
        why = "an edge ratio is positive and finite"
        require_number("ratio", self.ratio, lambda ratio: ratio > 0, why, "Type ratio=0.9")
        require_measurements(self.every, self.rtol)
        why = "a step size that cannot rise can only fall"
        require_number("growth", self.growth, lambda growth: growth > 1, why, "Type growth=1.1")
        if self.largest is not None:
            require_step_size("largest", self.largest)
            if self.largest < self.method.lr:
                raise SettingError(
                    f"largest={self.largest} below lr={self.method.lr}",
                    "the method starts with its own step size",
                    f"Type largest={self.method.lr} or more, or start the method with a smaller lr",
                )

    @property
    def lr(self) -> float | Schedule:  # type: ignore[override]
        """The step size before any curvature is measured."""
        return self.method.lr

    def on(self, space: ParameterSpace | None) -> "AtEdgeRatio":
        """Around the method for parameters of these names and shapes."""
        return replace(self, method=self.method.on(space))

    def init(self, w: Parameters) -> AtEdgeRatioState:
        """The method's own step size, nothing measured yet."""
        inner = self.method.init(w)
        eta = self.method.step_size_at(inner)
        return AtEdgeRatioState(step=0, method=inner, step_size=eta, sharpness=None, block=None)

    def settled(self, w: Parameters, step: int) -> AtEdgeRatioState:
        """There is none.

        Raises:
            SettingError: always.
        """
        raise SettingError(
            f"the edge of {type(self).__name__}({self.method}) after so many steps",
            "its step size follows from the curvature that was measured on the way",
            "Give the state that method.look or method.step returns",
        )

    def look(
        self, objective: Objective, point: Point, state: AtEdgeRatioState
    ) -> tuple[Parameters, AtEdgeRatioState]:
        """What the method looks at; every so many steps the sharpness is measured too, and η follows."""
        gradient, inner = self._at(state).look(objective, point, state.method)
        state = replace(state, method=inner)
        # Where the gradient is zero any step size will do, and where it is not finite there is no curvature.
        if state.step % self.every == 0 and 0.0 < length(gradient) < math.inf:
            # The settings were checked when the method was made: what is left to refuse is a product that has
            # overflowed, and then the run is about to end anyway.
            with suppress(SettingError):
                state = self._measured(point, gradient, state)
        return gradient, state

    def step(
        self, w: Parameters, gradient: Parameters, state: AtEdgeRatioState
    ) -> tuple[Parameters, AtEdgeRatioState]:
        """The method's step at the present η, and one more step counted."""
        w, inner = self._at(state).step(w, gradient, state.method)
        return w, replace(state, step=state.step + 1, method=inner)

    def step_size_at(self, state: AtEdgeRatioState) -> float:
        """η of the step that would be taken from `state`."""
        return state.step_size

    def preconditioner(self, w: Parameters, gradient: Parameters, state: AtEdgeRatioState) -> Preconditioner:
        """The method's."""
        return self._at(state).preconditioner(w, gradient, state.method)

    def seen(self, hessian: Operator) -> Operator:
        """The method's."""
        return self.method.seen(hessian)

    def companion(self, curvature: float, state: AtEdgeRatioState | None = None) -> NDArray[np.float64]:
        """The method's at the present η; without a state at the one it starts with."""
        if state is None:
            return self.method.companion(curvature)
        return self._at(state).companion(curvature, state.method)

    @property
    def critical_curvature(self) -> Callable[[AtEdgeRatioState], float]:
        """The method's at the present η."""
        return lambda state: self._at(state).critical_curvature_at(state.method)

    @property
    def critical_formula(self) -> str:
        """The method's."""
        return self.method.critical_formula

    def with_step_size(self, lr: float) -> "AtEdgeRatio":
        """Starting from another step size."""
        return replace(self, method=self.method.with_step_size(lr))

    def gradients_per_step(self, objective: Objective) -> float:
        """The method's, and at least 8 products a measurement, of 2 gradients each."""
        least = _COLUMNS + BlockKrylov().search
        return self.method.gradients_per_step(objective) + 2.0 * least / self.every

    def _at(self, state: AtEdgeRatioState) -> AnyMethod:
        return self.method.with_step_size(state.step_size)

    def _measured(self, point: Point, gradient: Parameters, state: AtEdgeRatioState) -> AtEdgeRatioState:
        operator = self._curvature(point, gradient, state)
        numbers = generator(self.seed, "edge ratio", str(state.step))
        columns = min(_COLUMNS, operator.size)
        if state.block is None:
            cold = Lanczos().solve(operator, columns, self.rtol, numbers)
            sharpness, block = float(cold.values[0]), cold.vectors
        else:
            # Nothing leads from an exact eigenvector to one that rises beside it.
            random = torch.randn(operator.size, generator=numbers, dtype=operator.dtype).to(operator.device)
            fresh = random if columns < operator.size else None
            warm = BlockKrylov().solve(operator, state.block, 1, self.rtol, numbers, fresh=fresh)
            sharpness, block = float(warm.pairs.values[0]), warm.block
        return replace(state, step_size=self._driven(sharpness, state), sharpness=sharpness, block=block)

    def _curvature(self, point: Point, gradient: Parameters, state: AtEdgeRatioState) -> Operator:
        hessian = self.seen(Function(point.hvp, point.w.shape[0], point.w.dtype, point.w.device))
        preconditioner = self.preconditioner(point.w, gradient, state)
        if isinstance(preconditioner, Identity):
            return hessian
        return hessian.conjugate_by(preconditioner.power(-0.5))

    def _driven(self, sharpness: float, state: AtEdgeRatioState) -> float:
        """The largest step size that the growth, the ceiling and the sharpness allow."""

        def allowed(eta: float) -> bool:
            critical = self.method.with_step_size(eta).critical_curvature_at(state.method)
            return sharpness <= self.ratio * critical

        upper = self.growth * state.step_size
        if self.largest is not None:
            upper = min(upper, self.largest)
        if allowed(upper):
            return float(upper)
        # A critical curvature falls as η rises. Bisection down to neighbouring numbers asks nothing more of it.
        lower = upper / 2.0
        while not allowed(lower):
            lower, upper = lower / 2.0, lower
        while lower < (middle := lower + (upper - lower) / 2.0) < upper:
            lower, upper = (middle, upper) if allowed(middle) else (lower, middle)
        return lower


# The wanted pair and a guard, which sees a second one coming.
_COLUMNS = 2
