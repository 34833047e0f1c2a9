"""A process: a method being advanced on an objective, state in, state out."""

from dataclasses import dataclass, replace
from typing import Any, final

from torch import Tensor

from edgewise.dynamics.frame import Past
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.recipe import Recipe
from edgewise.foundation import Parameters, derive_seed
from edgewise.methods import Method
from edgewise.objectives import Objective


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
    history: tuple[Past, ...]
    method: Any
    time: float
    probes: tuple[Any, ...]
    events: tuple[Any, ...]
    outcome: Outcome | None = None


def begin(recipe: Recipe, objective: Objective) -> dict[str, ProcessState]:
    """Every process of the recipe at the objective's start, with nothing read yet."""
    return {
        name: ProcessState(
            w=objective.start,
            start=objective.start,
            history=(),
            method=method.init(objective.start),
            time=0.0,
            probes=tuple(
                probe.init(objective, derive_seed(recipe.seed, name, type(probe).__name__))
                for probe in recipe.probes
            ),
            events=tuple(event.init() for event in recipe.until),
        )
        for name, method in recipe.processes.items()
    }


def advance(method: Method[Any], state: ProcessState, gradient: Parameters, remember: int) -> ProcessState:
    """One step of the method, the clock and the history with it."""
    past = Past(w=state.w, critical_curvature=method.critical_curvature_at(state.method))
    time = state.time + method.step_size_at(state.method)
    w, method_state = method.step(state.w, gradient, state.method)
    return replace(state, w=w, history=(past, *state.history)[:remember], method=method_state, time=time)
