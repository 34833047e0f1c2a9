"""The loop: all processes in lock step, read before they step."""

import time
import warnings
from collections.abc import Mapping
from typing import final

from edgewise.dynamics.checkpoint import save
from edgewise.dynamics.frame import Readings
from edgewise.dynamics.interrupt import listening
from edgewise.dynamics.midpoint import Midpoint
from edgewise.dynamics.observation import observe
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.process import ProcessState, advance, end_midpoints, look
from edgewise.dynamics.progress import Progress
from edgewise.dynamics.recipe import Recipe
from edgewise.objectives import Objective
from edgewise.records import RecordWriter


def descend(
    recipe: Recipe,
    objective: Objective,
    writer: RecordWriter,
    states: Mapping[str, ProcessState],
    step: int,
    progress: Progress,
    checkpoint_seconds: float,
) -> None:
    """Read and step all processes that go on, from `step` until `recipe.steps`.

    Every row is read before its step is taken, the last one too: a run of n steps has n + 1 rows. States
    are saved as they were before the row was read, so that resuming reads it again, alike.
    """
    remember = _remembered(recipe)
    clock = _Clock(checkpoint_seconds)
    seconds = dict.fromkeys(recipe.processes, 0.0)
    progress.begin(step, recipe.steps)
    try:
        with listening() as interrupt:
            while True:
                before = states
                if clock.due():
                    save(writer, step, recipe.steps, before)
                frames, states = look(recipe, objective, dict(before), step)
                rows: dict[str, Readings] = {}
                for name, frame in frames.items():
                    states[name], rows[name] = observe(recipe, name, frame, states[name], writer)
                states = end_midpoints(recipe, step, states)
                _note(writer, step, before, states)
                progress.row(step, rows)
                going = [name for name, state in states.items() if state.outcome is None]
                if not going or step >= recipe.steps or interrupt.requested:
                    break
                read = dict(states)
                for name in going:
                    if name in frames:
                        since = time.perf_counter()
                        states[name] = advance(recipe, name, frames[name], states[name], objective, remember)
                        seconds[name] += time.perf_counter() - since
                _note(writer, step, read, states)
                step += 1
            save(writer, step, recipe.steps, before)
    finally:
        progress.end()
    for name in going:
        outcome = _last(step, recipe.steps)
        writer.event(step, name, outcome.kind, outcome.sentence)
    for name, state in states.items():
        if state.outcome is not None and state.outcome.kind == "failed":
            warnings.warn(f"{name}: {state.outcome}", stacklevel=4)
    for name, spent in seconds.items():
        # At step 0, so that going on with the run leaves it standing.
        writer.event(0, name, "seconds", f"{spent:.6g}")


def _remembered(recipe: Recipe) -> int:
    """How many earlier points are kept: what the probes ask for, and what a midpoint lies between."""
    midpoints = any(isinstance(process, Midpoint) for process in recipe.processes.values())
    return max([int(midpoints), *(probe.history for probe in recipe.probes)])


def _note(
    writer: RecordWriter, step: int, before: Mapping[str, ProcessState], after: Mapping[str, ProcessState]
) -> None:
    """Write down which processes have just ended, and why."""
    for name, state in after.items():
        if state.outcome is not None and before[name].outcome is None:
            writer.event(step, name, state.outcome.kind, state.outcome.sentence)


def _last(step: int, steps: int) -> Outcome:
    if step >= steps:
        return Outcome("finished", step, f"Took all {steps} steps.")
    return Outcome("interrupted", step, f"Interrupted at step {step} of {steps}; run.resume() goes on from there.")


@final
class _Clock:
    """Says when the next checkpoint is due: at once, and then every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.next = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        if now < self.next:
            return False
        self.next = now + self.seconds
        return True
