"""Cosine annealing: slowly from one step size down to another."""

import math
from dataclasses import dataclass
from typing import final

from edgewise.methods.schedules.schedule import Schedule, require_step_size, require_steps


@final
@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    """Half a cosine from one step size down to another, where it stays.

        ηₜ = final + (initial − final) (1 + cos(π t / steps)) / 2 for t < steps, final for t ≥ steps.

    Equal to `torch.optim.lr_scheduler.CosineAnnealingLR(T_max=steps, eta_min=final)` up to its end; that
    one rises again afterwards.

    Args:
        initial: η of the first step.
        final: η at the end; positive, since a method needs a step size even there.
        steps: how long it takes.

    Example:
        >>> [round(Cosine(0.4, 0.2, steps=2).at(t), 9) for t in (0, 1, 2, 3)]
        [0.4, 0.3, 0.2, 0.2]

    References:
        loshchilov2017sgdr
    """

    initial: float | int
    final: float | int
    steps: int

    def __post_init__(self) -> None:
        require_step_size("initial", self.initial)
        require_step_size("final", self.final)
        require_steps(self.steps)

    def at(self, step: int) -> float:
        """On the cosine before step number `steps`, `final` from it on."""
        if step >= self.steps:
            return float(self.final)
        return self.final + (self.initial - self.final) * (1.0 + math.cos(math.pi * step / self.steps)) / 2.0
