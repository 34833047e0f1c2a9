"""A process: a method, a flow or a midpoint being advanced on an objective, state in, state out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, final

from torch import Tensor

from edgewise.dynamics.frame import Frame, Past
from edgewise.dynamics.midpoint import Midpoint
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.recipe import Recipe
from edgewise.flows import Flow
from edgewise.foundation import EdgewiseError, Parameters, derive_seed
from edgewise.methods import Method
from edgewise.objectives import Objective, Point


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProcessState:
    """Everything that a process needs to go on, bit for bit.

    Attributes:
        w: the present point.
        start: the point of step 0.
        history: earlier points, latest first.
        inner: the state of the method or flow; None for a midpoint.
        time: accumulated step sizes.
        since: the step at which it began; 0 but for what a fork has started anew.
        spent: gradient equivalents that a method's steps have taken.
        probes: what each probe remembers, by its position in the recipe.
        events: what each event remembers, likewise.
        outcome: why it ended; None while it goes on.
    """

    w: Tensor
    start: Tensor
    history: tuple[Past, ...]
    inner: Any
    time: float
    since: int = 0
    spent: float = 0.0
    probes: tuple[Any, ...]
    events: tuple[Any, ...]
    outcome: Outcome | None = None


def begin(recipe: Recipe, objective: Objective) -> dict[str, ProcessState]:
    """Every process of the recipe at the objective's start, with nothing read yet."""
    return {name: begin_at(recipe, name, objective, objective.start) for name in recipe.processes}


def begin_at(recipe: Recipe, name: str, objective: Objective, w: Parameters) -> ProcessState:
    """One process of the recipe at a point, with nothing read yet."""
    process = recipe.processes[name]
    match process:
        case Method():
            process.gradients_per_step(objective)  # refuses batches that the objective does not have
            inner = process.init(w)
        case Flow():
            inner = process.init(objective, w, derive_seed(recipe.seed, name))
        case _:
            inner = None
    probes, events = memories(recipe, name, objective)
    return ProcessState(w=w, start=w, history=(), inner=inner, time=0.0, probes=probes, events=events)


def memories(recipe: Recipe, name: str, objective: Objective) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What probes and events of the recipe know of a process before they have seen anything of it."""
    probes = (
        probe.init(objective, derive_seed(recipe.seed, name, type(probe).__name__)) for probe in recipe.probes
    )
    return tuple(probes), tuple(event.init() for event in recipe.until)


def look(
    recipe: Recipe, objective: Objective, states: dict[str, ProcessState], step: int
) -> tuple[dict[str, Frame], dict[str, ProcessState]]:
    """What every process that goes on sees before its coming step.

    A midpoint lies between three points, so the method that it belongs to is advanced here already; it
    has no frame at the first step.

    Returns:
        The frames, and the states with what was seen on the way. The states of midpoints stand at their frames.
    """
    frames: dict[str, Frame] = {}
    states = dict(states)
    for name, process in recipe.processes.items():
        state = states[name]
        if state.outcome is not None or isinstance(process, Midpoint):
            continue
        if isinstance(process, Flow):
            now = _time_of(recipe, name, states, step)
            point = objective.at(state.w, products=process.products or _products_due(recipe, name, step))
            frames[name] = _frame(
                step,
                state,
                objective,
                point,
                step_size=process.step_size_at(now),
                critical_curvature=process.critical_curvature_at(point, state.inner, now),
                cost=process.cost(state.inner).equivalents,
                precondition=partial(process.preconditioner, point, state.inner),
                predict=partial(process.predict, objective, point, state.inner),
                others=frames,
            )
        else:
            point = objective.at(state.w, products=_products_due(recipe, name, step))
            try:
                gradient, inner = process.look(objective, point, state.inner)
            except EdgewiseError as error:
                states[name] = replace(state, outcome=_failed(step, error))
                continue
            states[name] = replace(state, inner=inner)
            frames[name] = _frame(
                step,
                state,
                objective,
                point,
                step_size=process.step_size_at(inner),
                critical_curvature=process.critical_curvature_at(inner),
                gradient=gradient,
                cost=state.spent,
                precondition=cache(partial(process.preconditioner, state.w, gradient, inner)),
                seen=process.seen,
                others=frames,
            )
    for name, process in recipe.processes.items():
        state = states[name]
        if not isinstance(process, Midpoint) or state.outcome is not None or process.of not in frames:
            continue
        around = frames[process.of]
        if around.history:
            w = (around.history[0].w + 2 * around.w + _next(recipe, process.of, around, states)) / 4
            states[name] = state = replace(state, w=w, time=around.time)
            point = objective.at(w, products=_products_due(recipe, name, step))
            frames[name] = _frame(
                step,
                state,
                objective,
                point,
                step_size=around.step_size,
                critical_curvature=around.critical_curvature,
                precondition=around.precondition,
                seen=around.seen,
                others=frames,
            )
    return frames, states


def advance(
    recipe: Recipe, name: str, frame: Frame, state: ProcessState, objective: Objective, remember: int
) -> ProcessState:
    """One step of a process from its frame, the clock and the history with it."""
    process = recipe.processes[name]
    past = Past(w=frame.w, critical_curvature=frame.critical_curvature, step_size=frame.step_size)
    state = replace(state, history=(past, *state.history)[:remember], time=frame.time + frame.step_size)
    match process:
        case Method():
            assert frame.gradient is not None
            w, inner = process.step(frame.w, frame.gradient, state.inner)
            state = replace(state, spent=state.spent + process.gradients_per_step(objective))
        case Flow():
            try:
                w, inner = process.advance(objective, frame.point, state.inner, frame.step_size)
            except EdgewiseError as error:
                return replace(state, time=frame.time, outcome=_failed(frame.step, error))
        case _:
            return state
    return replace(state, w=w, inner=inner)


def _failed(step: int, error: EdgewiseError) -> Outcome:
    return Outcome("failed", step, f"Stopped at step {step}: {error}")


def end_midpoints(recipe: Recipe, step: int, states: Mapping[str, ProcessState]) -> dict[str, ProcessState]:
    """A midpoint ends with the process that it belongs to."""
    ended = dict(states)
    for name, process in recipe.processes.items():
        if isinstance(process, Midpoint) and ended[name].outcome is None:
            source = ended[process.of].outcome
            if source is not None:
                outcome = Outcome("ended", step, f"Ended at step {step}, with {process.of}.")
                ended[name] = replace(ended[name], outcome=outcome)
    return ended


def _time_of(recipe: Recipe, name: str, states: Mapping[str, ProcessState], step: int) -> int:
    """The step of its method that a flow is at: that of the method beside it, or as many as it has taken."""
    described = recipe.processes[name].described
    for other, process in recipe.processes.items():
        if process == described and states[other].outcome is None:
            return int(states[other].inner.step)
    return step - states[name].since


def _frame(step: int, state: ProcessState, objective: Objective, point: Point, **seen: Any) -> Frame:
    return Frame(
        step=step,
        time=state.time,
        w=state.w,
        start=state.start,
        history=state.history,
        point=point,
        objective=objective,
        **seen,
    )


def _next(recipe: Recipe, name: str, frame: Frame, states: Mapping[str, ProcessState]) -> Tensor:
    """Where a method is going to be after its coming step."""
    assert frame.gradient is not None
    w, _ = recipe.processes[name].step(frame.w, frame.gradient, states[name].inner)
    return w


def _products_due(recipe: Recipe, name: str, step: int) -> bool:
    return any(probe.products and probe.due(step) and probe.of in (None, name) for probe in recipe.probes)
