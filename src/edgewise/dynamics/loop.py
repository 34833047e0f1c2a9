"""The loop: all processes in lock step, read before they step."""

import time
from collections.abc import Mapping
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
) -> None:
    """Read and step all processes that go on, from `step` until `recipe.steps`.

    Every row is read before its step is taken, the last one too: a run of n steps has n + 1 rows. States
    are saved as they were before the row was read, so that resuming reads it again, alike.
    """
    remember = max((probe.history for probe in recipe.probes), default=0)
    clock = _Clock(checkpoint_seconds)
    progress.begin(step, recipe.steps)
    try:
        with listening() as interrupt:
            while True:
                before, states = states, dict(states)
                if clock.due():
                    save(writer, step, recipe.steps, before)
                going: dict[str, Point] = {}
                rows: dict[str, Readings] = {}
                for name, state in before.items():
                    if state.outcome is None:
                        states[name], point, rows[name] = observe(recipe, name, step, state, objective, writer)
                        outcome = states[name].outcome
                        if outcome is None:
                            going[name] = point
                        else:
                            writer.event(step, name, outcome.kind, outcome.sentence)
                progress.row(step, rows)
                if not going or step >= recipe.steps or interrupt.requested:
                    break
                for name, point in going.items():
                    states[name] = advance(recipe.processes[name], states[name], point.gradient, remember)
                step += 1
            save(writer, step, recipe.steps, before)
    finally:
        progress.end()
    for name in going:
        outcome = _last(step, recipe.steps)
        writer.event(step, name, outcome.kind, outcome.sentence)


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
