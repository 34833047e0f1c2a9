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
from edgewise.foundation import EdgewiseError, FlowError, Parameters, SettingError, derive_seed
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
        probes: what each probe remembers, by its position in the recipe.
        events: what each event remembers, likewise.
        outcome: why it ended; None while it goes on.
    """

    w: Tensor
    start: Tensor
    history: tuple[Past, ...]
    inner: Any
    time: float
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
            inner = process.init(w)
        case Flow():
            inner = process.init(objective, w, derive_seed(recipe.seed, name))
        case _:
            inner = None
    return ProcessState(
        w=w,
        start=w,
        history=(),
        inner=inner,
        time=0.0,
        probes=tuple(
            probe.init(objective, derive_seed(recipe.seed, name, type(probe).__name__)) for probe in recipe.probes
        ),
        events=tuple(event.init() for event in recipe.until),
    )


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
            point = objective.at(state.w, products=process.products or _products_due(recipe, name, step))
            frames[name] = _frame(
                step,
                state,
                objective,
                point,
                step_size=process.step_size_at(step),
                critical_curvature=process.critical_curvature_at(state.inner, step),
                cost=process.cost(state.inner).equivalents,
                precondition=partial(process.preconditioner, point, state.inner),
                predict=partial(process.predict, objective, point, state.inner),
                others=frames,
            )
        else:
            point = objective.at(state.w, products=_products_due(recipe, name, step))
            try:
                gradient, inner = process.look(objective, point, state.inner)
            except SettingError as error:
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
                cost=step * process.gradients_per_step(objective),
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
        case Flow():
            try:
                w, inner = process.advance(objective, frame.point, state.inner, frame.step_size)
            except FlowError as error:
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
