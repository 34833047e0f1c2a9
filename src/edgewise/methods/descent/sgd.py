"""Stochastic gradient descent: the gradient of a part of the data, drawn in an order that can be resumed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters, SettingError, generator
from edgewise.methods.method import Method
from edgewise.methods.requirements import (
    require_beta,
    require_count,
    require_decay,
    require_flag,
    require_number,
    require_seed,
)
from edgewise.methods.schedules import Schedule, by_step_size, require_lr, step_size_in
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class SGDState:
    """What stochastic gradient descent carries.

    Attributes:
        step: the number of steps taken; with the method's seed it is the place in the order of the data.
        velocity: v, as long as the parameters; None before the first step, and without momentum.
    """

    step: int
    velocity: Tensor | None


@final
@dataclass(frozen=True, slots=True)
class SGD(Method[SGDState]):
    """Stochastic gradient descent on mini-batches B, with momentum, as PyTorch writes it.

        g = ∇L_B(w) + γ w,    v' = μ v + (1 − τ) g,    w' = w − η v'

    and with Nesterov's momentum w' = w − η (g + μ v'). The first velocity is g, not (1 − τ) g. Equal to
    `torch.optim.SGD(lr=η, momentum=μ, dampening=τ, weight_decay=γ, nesterov=…)`.

    Companion matrix and critical curvature are those of the mean gradient, that is of the full batch:
    with the full batch a mode of curvature λ loses stability at

        (2 + 2μ)/((1 − τ)η) − γ,    with Nesterov's momentum (2 + 2μ)/((1 + 2μ)η) − γ.

    The noise of small batches makes a minimum unstable well below it (wu2018how), and what settles at 2/η is
    then the batch sharpness (andreyev2024edge).

    The order of the data is a function of the seed and the step number and of nothing else, so a resumed run
    goes on with the batch that would have come. Without replacement every epoch is a new permutation, cut
    into batches; a last batch that is smaller is used, like the others with the mean over its samples.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        batch_size: samples per step; None takes all of them.
        momentum: μ in [0, 1).
        dampening: τ in [0, 1); without momentum it has no effect.
        nesterov: whether the momentum is Nesterov's; it goes with positive momentum and no dampening.
        replacement: whether every batch is drawn from all the data, or each epoch goes through them once.
        weight_decay: γ ≥ 0, added to the Hessian; see `WeightDecay`.
        seed: of the order of the data.

    Raises:
        SettingError: if an argument is outside its range, or two exclude each other.

    Example:
        >>> SGD(0.01, batch_size=8, momentum=0.9, weight_decay=1.0).critical_curvature
        379.0
        >>> state = SGD(0.01, 2).init(torch.zeros(1))
        >>> sorted(torch.cat([SGD(0.01, 2).batch(SGDState(t, None), samples=5) for t in range(3)]).tolist())
        [0, 1, 2, 3, 4]

    References:
        wu2018how, andreyev2024edge
    """

    lr: float | int | Schedule
    batch_size: int | None
    momentum: float | int = 0.0
    dampening: float | int = 0.0
    nesterov: bool = False
    replacement: bool = False
    weight_decay: float | int = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_lr(self.lr)
        require_decay("weight_decay", self.weight_decay)
        require_seed(self.seed)
        if self.batch_size is not None:
            why = "a batch has a whole number of samples, at least one"
            fix = "Type batch_size=32, or batch_size=None for all the data"
            require_count("batch_size", self.batch_size, 1, why, fix)
        require_beta(self.momentum, "momentum")
        require_number(
            "dampening",
            self.dampening,
            lambda dampening: 0 <= dampening < 1,
            "the velocity takes up the share 1 − dampening of a gradient, which is positive and at most one",
            "Leave it out, or type dampening=0.5",
        )
        require_flag("nesterov", self.nesterov)
        require_flag("replacement", self.replacement)
        if self.nesterov and (self.momentum == 0.0 or self.dampening != 0.0):
            raise SettingError(
                f"nesterov=True with momentum={self.momentum} and dampening={self.dampening}",
                "Nesterov's momentum goes with positive momentum and no dampening",
                "Type SGD(lr, batch_size, momentum=0.9, nesterov=True)",
            )

    def init(self, w: Parameters) -> SGDState:
        """No step taken, no velocity yet."""
        return SGDState(step=0, velocity=None)

    def batch(self, state: SGDState, samples: int) -> Int[Tensor, "batch"]:
        """The indices of the samples that the step from `state` sees.

        Args:
            state: of which the step number matters.
            samples: how many samples there are.

        Raises:
            SettingError: if a batch without replacement is to be larger than the data.
        """
        size = self.batch_size
        if size is None:
            return torch.arange(samples)
        if self.replacement:
            return torch.randint(samples, (size,), generator=generator(self.seed, "data order", str(state.step)))
        self._require(samples)
        epoch, place = divmod(state.step, math.ceil(samples / size))
        order = torch.randperm(samples, generator=generator(self.seed, "data order", str(epoch)))
        return order[place * size : (place + 1) * size]

    def look(self, objective: Objective, point: Point, state: SGDState) -> tuple[Parameters, SGDState]:
        """∇L_B(w), the mean over the batch of this step.

        Raises:
            SettingError: if a batch without replacement is to be larger than the data.
            ObjectiveError: if the objective has no samples.
        """
        if self.batch_size is None:
            return point.gradient, state
        indices = self.batch(state, objective.samples)
        return objective.batch_at(point.w, indices).gradient, state

    def step(self, w: Parameters, gradient: Parameters, state: SGDState) -> tuple[Parameters, SGDState]:
        """w − η v' (with Nesterov's momentum w − η (g + μ v')), and one more step counted."""
        if self.weight_decay:
            gradient = gradient.add(w, alpha=self.weight_decay)
        direction, velocity = gradient, None
        if self.momentum:
            if state.velocity is None:
                velocity = gradient.clone()
            else:
                velocity = state.velocity.mul(self.momentum).add_(gradient, alpha=1.0 - self.dampening)
            direction = gradient.add(velocity, alpha=self.momentum) if self.nesterov else velocity
        w = w.add(direction, alpha=-self.step_size_at(state))
        return w, SGDState(step=state.step + 1, velocity=velocity)

    def step_size_at(self, state: SGDState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def companion(self, curvature: float, state: SGDState | None = None) -> NDArray[np.float64]:
        """From the last two iterates (w, w₋) to (w', w), with Λ = λ + γ.

        [[1 + μ − (1 − τ)ηΛ, −μ], [1, 0]], with Nesterov's momentum (1 − ηΛ) [[1 + μ, −μ], …], and without
        momentum [1 − ηΛ].
        """
        eta = step_size_in(self.lr, state)
        factor, mu = 1.0 - eta * (curvature + self.weight_decay), self.momentum
        if not mu:
            return np.array([[factor]])
        if self.nesterov:
            return np.array([[(1.0 + mu) * factor, -mu * factor], [1.0, 0.0]])
        kept = 1.0 - self.dampening
        return np.array([[1.0 + mu - kept * eta * (curvature + self.weight_decay), -mu], [1.0, 0.0]])

    @property
    def critical_curvature(self) -> float | Callable[[SGDState], float]:
        """(2 + 2μ)/((1 − τ)η) − γ, with Nesterov's momentum (2 + 2μ)/((1 + 2μ)η) − γ; at least zero."""
        mu = self.momentum
        felt = 1.0 + 2.0 * mu if self.nesterov else 1.0 - self.dampening if mu else 1.0
        numerator = (2.0 + 2.0 * mu) / felt
        return by_step_size(self.lr, lambda eta: max(0.0, numerator / eta - self.weight_decay))

    @property
    def critical_formula(self) -> str:
        """`2/η`, or with what is used of momentum, dampening and weight decay: `(2+2μ)/((1−τ)η) − γ`."""
        if not self.momentum:
            edge = "2/η"
        elif self.nesterov:
            edge = "(2+2μ)/((1+2μ)η)"
        else:
            edge = "(2+2μ)/((1−τ)η)" if self.dampening else "(2+2μ)/η"
        return f"{edge} − γ" if self.weight_decay else edge

    def gradients_per_step(self, objective: Objective) -> float:
        """The mean over an epoch: b/n, and 1/⌈n/b⌉ without replacement (the same where b divides n)."""
        if self.batch_size is None:
            return 1.0
        samples = objective.samples
        if self.replacement:
            return self.batch_size / samples
        self._require(samples)
        return 1.0 / math.ceil(samples / self.batch_size)

    def _require(self, samples: int) -> None:
        if self.batch_size is not None and self.batch_size > samples:
            raise SettingError(
                f"batch_size={self.batch_size} and {samples} samples",
                "a batch without replacement has each of them at most once",
                f"Type batch_size={samples}, or replacement=True",
            )
