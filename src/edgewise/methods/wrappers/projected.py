"""Dominant and bulk descent: any method, shown only a part of its gradient."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters, ParameterSpace, SettingError, generator
from edgewise.linalg import BlockKrylov, Function, Lanczos, Operator, Preconditioner
from edgewise.methods.method import AnyMethod, Method, require_method
from edgewise.methods.requirements import require_count, require_measurements, require_seed, shown
from edgewise.methods.schedules import Schedule
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProjectedState:
    """What a projected method carries.

    Attributes:
        step: the number of steps taken.
        method: the state of the method inside.
        block: the k top eigenvectors as they were last measured, as columns, and then the guards from which
            the next measurement starts too; None before the first.
    """

    step: int
    method: Any
    block: Tensor | None


@final
@dataclass(frozen=True, slots=True)
class Projected(Method[ProjectedState]):
    """A method that sees its gradient projected on the dominant subspace, or on the bulk beside it.

        dominant:  g ← P_k g,        bulk:  g ← (I − P_k) g,        P_k = U Uᵀ

    with U the top k eigenvectors of the Hessian at w, measured every few steps: by Lanczos at first and from then
    on by block Krylov from the last vectors and a fresh random direction. Around `SGD` these are the Dom-SGD
    and Bulk-SGD of the paper: nearly all of the gradient is dominant, and yet the bulk is what learns.

    Stability is the method's, for the modes that it is shown: the companion matrix says nothing of those that
    are projected away, which stay where they are.

    Args:
        method: any method. It is its gradient that is projected; what it makes of that, a momentum or a
            preconditioned step, may leave the subspace again.
        k: the dimension of the dominant subspace: the number of classes, in the paper.
        part: "dominant" or "bulk", the part that the method sees.
        every: steps between measurements of the subspace.
        rtol: bound of the error of each eigenvalue, relative to the largest.
        seed: of the random directions.

    Raises:
        SettingError: if an argument is outside its range.

    Example:
        >>> from edgewise.methods import GradientDescent
        >>> from edgewise.objectives import Objective
        >>> bowl = Objective.from_function(
        ...     lambda w: (torch.tensor([1.0, 4.0]) * w**2).sum() / 2, 2, start=torch.ones(2)
        ... )
        >>> method = Projected(GradientDescent(0.1), k=1, part="bulk")
        >>> gradient, _ = method.look(bowl, bowl.at(bowl.start), method.init(bowl.start))
        >>> [round(entry, 9) + 0.0 for entry in gradient.tolist()]
        [1.0, 0.0]

    References:
        song2024does
    """

    method: AnyMethod
    k: int
    part: str = "dominant"
    every: int = 5
    rtol: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        require_method("Projected", self.method)
        require_seed(self.seed)
        if not isinstance(self.part, str) or self.part not in ("dominant", "bulk"):
            raise SettingError(
                f"part={shown(self.part)}", "the gradient has two parts", 'Type part="dominant" or part="bulk"'
            )
        require_count("k", self.k, 1, "a subspace has at least one direction", "Type k=10")
        require_measurements(self.every, self.rtol)

    @property
    def lr(self) -> float | Schedule:  # type: ignore[override]
        """The method's."""
        return self.method.lr

    def on(self, space: ParameterSpace | None) -> "Projected":
        """Around the method for parameters of these names and shapes."""
        return replace(self, method=self.method.on(space))

    def init(self, w: Parameters) -> ProjectedState:
        """The method's state, and nothing measured yet.

        Raises:
            SettingError: if there are fewer parameters than directions.
        """
        if self.k > w.shape[0]:
            raise SettingError(
                f"k={self.k} and {w.shape[0]} parameters",
                "a subspace has no more directions than the space",
                f"Type k={w.shape[0]} or less",
            )
        return ProjectedState(step=0, method=self.method.init(w), block=None)

    def settled(self, w: Parameters, step: int) -> ProjectedState:
        """Around the method's."""
        return replace(self.init(w), step=step, method=self.method.settled(w, step))

    def look(self, objective: Objective, point: Point, state: ProjectedState) -> tuple[Parameters, ProjectedState]:
        """The part of what the method looks at; every so many steps the subspace is measured anew."""
        gradient, inner = self.method.look(objective, point, state.method)
        block = state.block
        # Where the gradient is not finite there is no curvature to measure, and the run is about to end.
        if (block is None or state.step % self.every == 0) and bool(torch.isfinite(point.gradient).all()):
            block = self._measured(point, state)
        state = replace(state, method=inner, block=block)
        if block is None:
            return gradient, state
        U = block[:, : self.k]
        dominant = U @ (U.T @ gradient)
        return (dominant if self.part == "dominant" else gradient - dominant), state

    def step(
        self, w: Parameters, gradient: Parameters, state: ProjectedState
    ) -> tuple[Parameters, ProjectedState]:
        """The method's step with the projected gradient, and one more step counted."""
        w, inner = self.method.step(w, gradient, state.method)
        return w, replace(state, step=state.step + 1, method=inner)

    def step_size_at(self, state: ProjectedState) -> float:
        """η of the step that would be taken from `state`."""
        return self.method.step_size_at(state.method)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: ProjectedState) -> Preconditioner:
        """The method's."""
        return self.method.preconditioner(w, gradient, state.method)

    def seen(self, hessian: Operator) -> Operator:
        """The method's."""
        return self.method.seen(hessian)

    def companion(self, curvature: float, state: ProjectedState | None = None) -> NDArray[np.float64]:
        """The method's, for a mode that it is shown."""
        return self.method.companion(curvature, None if state is None else state.method)

    @property
    def critical_curvature(self) -> float | Callable[[ProjectedState], float]:
        """The method's, for a mode that it is shown."""
        critical = self.method.critical_curvature
        return (lambda state: critical(state.method)) if callable(critical) else critical

    @property
    def critical_formula(self) -> str:
        """The method's."""
        return self.method.critical_formula

    def with_step_size(self, lr: float) -> "Projected":
        """Around the method at a fixed step size."""
        return replace(self, method=self.method.with_step_size(lr))

    def gradients_per_step(self, objective: Objective) -> float:
        """The method's, and at least a gradient and k + 7 products a measurement, of 2 gradients each."""
        least = self.k + _GUARDS + BlockKrylov().search
        return self.method.gradients_per_step(objective) + (1.0 + 2.0 * least) / self.every

    def _measured(self, point: Point, state: ProjectedState) -> Tensor:
        operator: Operator = Function(point.hvp, point.w.shape[0], point.w.dtype, point.w.device)
        numbers = generator(self.seed, "dominant subspace", str(state.step))
        columns = min(self.k + _GUARDS, operator.size)
        if state.block is None:
            return Lanczos().solve(operator, columns, self.rtol, numbers).vectors
        # Nothing leads from exact eigenvectors to one that rises beside them.
        random = torch.randn(operator.size, generator=numbers, dtype=operator.dtype).to(operator.device)
        fresh = random if columns < operator.size else None
        return BlockKrylov().solve(operator, state.block, self.k, self.rtol, numbers, fresh=fresh).block


# Sees the next one coming before it overtakes.
_GUARDS = 1
