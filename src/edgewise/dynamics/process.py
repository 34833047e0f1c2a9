"""A process: a method being advanced on an objective, state in, state out."""

from dataclasses import dataclass, replace
from typing import Any, final

from torch import Tensor

from edgewise.dynamics.outcome import Outcome
from edgewise.foundation import Parameters
from edgewise.methods import Method


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProcessState:
    """Everything that a process needs to go on, bit for bit.

    Attributes:
        w: the present point.
        start: the point of step 0.
        history: earlier points, latest first.
        method: the method's state.
        time: accumulated step sizes.
        probes: what each probe remembers, by its position in the recipe.
        events: what each event remembers, likewise.
        outcome: why it ended; None while it goes on.
    """

    w: Tensor
    start: Tensor
    history: tuple[Tensor, ...]
    method: Any
    time: float
    probes: tuple[Any, ...]
    events: tuple[Any, ...]
    outcome: Outcome | None = None


def advance(method: Method[Any], state: ProcessState, gradient: Parameters, remember: int) -> ProcessState:
    """One step of the method, the clock and the history with it."""
    step_size = method.step_size_at(state.method)
    w, method_state = method.step(state.w, gradient, state.method)
    history = (state.w, *state.history)[:remember]
    return replace(state, w=w, history=history, method=method_state, time=state.time + step_size)
