"""The loop: all processes in lock step, read before they step."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import final

from edgewise.dynamics.checkpoint import save
from edgewise.dynamics.frame import Readings
from edgewise.dynamics.interrupt import listening
from edgewise.dynamics.observation import observe
from edgewise.dynamics.outcome import Outcome
from edgewise.dynamics.process import ProcessState, advance
from edgewise.dynamics.progress import Progress
from edgewise.dynamics.recipe import Recipe
from edgewise.objectives import Objective, Point
from edgewise.records import RecordWriter


def descend(
    recipe: Recipe,
    objective: Objective,
    writer: RecordWriter,
    states: Mapping[str, ProcessState],
    step: int,
    progress: Progress,
    checkpoint_seconds: float,
) -> Mapping[str, ProcessState]:
    """Read and step all processes that go on, from `step` until `recipe.steps`.

    Every row is read before its step is taken, the last one too: a run of n steps has n + 1 rows. States
    are saved as they were before the row was read, so that resuming reads it again, alike.

    Returns:
        The states at the end, each with its outcome.
    """
    remember = max((probe.history for probe in recipe.probes), default=0)
    states = dict(states)
    clock = _Clock(checkpoint_seconds)
    progress.begin(step, recipe.steps)
    try:
        with listening() as interrupt:
            while True:
                before = dict(states)
                if clock.due():
                    save(writer, step, before)
                points: dict[str, Point] = {}
                rows: dict[str, Readings] = {}
                for name, state in states.items():
                    if state.outcome is None:
                        states[name], points[name], rows[name] = observe(
                            recipe, name, step, state, objective, writer
                        )
                progress.row(step, rows)
                going = [name for name, state in states.items() if state.outcome is None]
                if step >= recipe.steps or interrupt.requested or not going:
                    break
                for name in going:
                    states[name] = advance(recipe.processes[name], states[name], points[name].gradient, remember)
                step += 1
        save(writer, step, before)
    finally:
        progress.end()
    for name in going:
        states[name] = replace(states[name], outcome=_last(step, recipe.steps))
    for name in points:
        outcome = states[name].outcome
        if outcome is not None:
            writer.event(step, name, outcome.kind, outcome.sentence)
    return states


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
