"""NAdam: Adam that looks ahead along its average, as Nesterov's momentum does, which lowers its edge."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgewise.foundation import Parameters
from edgewise.linalg import PositiveDiagonal
from edgewise.methods.adaptive.adam import require_adam
from edgewise.methods.method import Method
from edgewise.methods.moving_average import mean_square
from edgewise.methods.requirements import require_number
from edgewise.methods.schedules import Schedule, step_size_in


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, eq=False)
class NAdamState:
    """What NAdam carries.

    Attributes:
        step: the number of steps taken.
        average: m, the average of the gradient; zero at the start.
        square_average: ν, the average of its square; zero at the start.
        momentum_product: Π, the product of all μ so far; one number, in the precision in which PyTorch keeps it.
    """

    step: int
    average: Tensor
    square_average: Tensor
    momentum_product: Tensor


@final
@dataclass(frozen=True, slots=True)
class NAdam(Method[NAdamState]):
    """Adam with Nesterov's momentum.

        m' = β₁ m + (1 − β₁) g,    ν' = β₂ ν + (1 − β₂) g²,    g = ∇L(w)
        μ_t = β₁ (1 − ½ 0.96^(tψ)),    Π_t = μ₁ μ₂ … μ_t    at step t = 1, 2, …
        w' = w − η [(1 − μ_t) g + μ̂ m'] / P,    μ̂ = μ_{t+1} (1 − Π_t)/(1 − Π_{t+1})
        P = (1 − Π_t) [√(ν'/(1 − β₂ᵗ)) + ε]

    In the metric of its preconditioner diag(P) a mode of P^(-1/2) H P^(-1/2) of curvature λ obeys
    w'' = (1 + β₁ − ηλ(1 − μ_t + (1 − β₁)μ̂)) w' − β₁(1 − ηλ(1 − μ_t)) w. A root leaves the unit disc through
    z = −1, at the critical curvature

        2(1 + β₁)/(((1 + β₁)(1 − μ_t) + (1 − β₁)μ̂) η),

    a function of the state: μ rises from β₁/2 to β₁ over some 1/(0.04ψ) steps, and Π falls to zero within a few.
    In the end it is 2(1 + β₁)/((1 − β₁)(1 + 2β₁)η), 13.6/η at β₁ = 0.9 where Adam has 38/η, after 3.5/η at
    the start. Equal to `torch.optim.NAdam(lr=η, betas, eps, momentum_decay=ψ)`.

    Args:
        lr: η, the step size: a positive number or a `Schedule`.
        betas: (β₁, β₂), both in [0, 1): the shares of m and ν that are kept.
        eps: ε ≥ 0, outside the root.
        momentum_decay: ψ ≥ 0, how fast μ rises; it stays at β₁/2 for ψ = 0.

    Raises:
        SettingError: if one of them is outside its range.

    Example:
        >>> method = NAdam(0.01, momentum_decay=1.0)
        >>> late = NAdamState(1000, torch.zeros(1), torch.ones(1), torch.zeros(()))
        >>> round(method.critical_curvature(late), 4)
        1357.1429

    References:
        dozat2016incorporating, cohen2022adaptive
    """

    lr: float | int | Schedule
    betas: tuple[float | int, float | int] = (0.9, 0.999)
    eps: float | int = 1e-8
    momentum_decay: float | int = 4e-3

    def __post_init__(self) -> None:
        require_adam(self.lr, self.betas, self.eps)
        why = "with a negative one the momentum would fall, below zero in the end"
        require_number("momentum_decay", self.momentum_decay, lambda ψ: ψ >= 0, why, "Type momentum_decay=4e-3")

    def init(self, w: Parameters) -> NAdamState:
        """Nothing seen yet: m = ν = 0, Π = 1."""
        # Single precision, unless PyTorch's default is a higher one.
        single = torch.promote_types(torch.get_default_dtype(), torch.float32)
        zeros, one = w.new_zeros(w.shape), torch.ones((), dtype=single)
        return NAdamState(step=0, average=zeros, square_average=zeros.clone(), momentum_product=one)

    def settled(self, w: Parameters, step: int) -> NAdamState:
        """Π = 0: nothing is left of the start."""
        start = self.init(w)
        return replace(start, step=step, momentum_product=torch.zeros_like(start.momentum_product))

    def step(self, w: Parameters, gradient: Parameters, state: NAdamState) -> tuple[Parameters, NAdamState]:
        """w − η [(1 − μ_t) g + μ̂ m']/P, and one more step counted."""
        eta = self.step_size_at(state)
        μ, following = self._momentum(state.step + 1), self._momentum(state.step + 2)
        average = state.average.lerp(gradient, 1 - self.betas[0])
        square_average = mean_square(state.square_average, gradient, self.betas[1])
        product = state.momentum_product * μ
        Π = product.item()
        root = self._root(square_average, state.step + 1)
        w = w.addcdiv(gradient, root, value=-eta * (1.0 - μ) / (1.0 - Π))
        w.addcdiv_(average, root, value=(-eta * following) / (1.0 - Π * following))
        return w, NAdamState(state.step + 1, average, square_average, product)

    def step_size_at(self, state: NAdamState) -> float:
        """η of the step that would be taken from `state`."""
        return step_size_in(self.lr, state)

    def preconditioner(self, w: Parameters, gradient: Parameters, state: NAdamState) -> PositiveDiagonal:
        """diag(P) of the coming step."""
        square_average = mean_square(state.square_average, gradient, self.betas[1])
        Π = (state.momentum_product * self._momentum(state.step + 1)).item()
        return PositiveDiagonal(self._root(square_average, state.step + 1).mul_(1.0 - Π))

    def companion(self, curvature: float, state: NAdamState | None = None) -> NDArray[np.float64]:
        """[[1 + β₁ − ηλ(1 − μ + (1 − β₁)μ̂), −β₁(1 − ηλ(1 − μ))], [1, 0]]: from (w, w₋) to (w', w).

        Without a state the limit of many steps, μ = μ̂ = β₁ (β₁/2 for ψ = 0).
        """
        push, beta = step_size_in(self.lr, state) * curvature, self.betas[0]
        now, ahead = self._shares(state)
        return np.array(
            [[1.0 + beta - push * (now + (1.0 - beta) * ahead), -beta * (1.0 - push * now)], [1.0, 0.0]]
        )

    @property
    def critical_curvature(self) -> Callable[[NAdamState], float]:
        """2(1 + β₁)/(((1 + β₁)(1 − μ_t) + (1 − β₁)μ̂)η), a function of the state.

        The two roots have the product β₁(1 − ηλ(1 − μ_t)), which is between −β₁ and β₁ up to there, so no pair of
        complex ones leaves the unit disc; and z = 1 asks for λ = 0.
        """
        return self._critical

    @property
    def critical_formula(self) -> str:
        """`2(1+β₁)/(((1+β₁)(1−μ)+(1−β₁)μ̂)η)`."""
        return "2(1+β₁)/(((1+β₁)(1−μ)+(1−β₁)μ̂)η)"

    def _critical(self, state: NAdamState) -> float:
        beta = self.betas[0]
        now, ahead = self._shares(state)
        return 2.0 * (1.0 + beta) / (((1.0 + beta) * now + (1.0 - beta) * ahead) * self.step_size_at(state))

    def _shares(self, state: NAdamState | None) -> tuple[float, float]:
        """1 − μ_t and μ̂, what the coming step takes of g and of m'."""
        if state is None:
            limit = self.betas[0] * (1.0 if self.momentum_decay else 0.5)
            return 1.0 - limit, limit
        μ, following = self._momentum(state.step + 1), self._momentum(state.step + 2)
        Π = (state.momentum_product * μ).item()
        return 1.0 - μ, following * (1.0 - Π) / (1.0 - Π * following)

    def _momentum(self, t: int) -> float:
        """μ_t."""
        return self.betas[0] * (1.0 - 0.5 * (0.96 ** (t * self.momentum_decay)))

    def _root(self, square_average: Parameters, t: int) -> Parameters:
        """√(ν'/(1 − β₂ᵗ)) + ε, in PyTorch's order of operations."""
        return square_average.div(1 - self.betas[1] ** t).sqrt_().add_(self.eps)
