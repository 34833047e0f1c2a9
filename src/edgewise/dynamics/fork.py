"""A fork: a stored run continued from one of its steps with one thing changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgewise.dynamics.checkpoint import load
from edgewise.dynamics.events import Event, NonFinite
from edgewise.dynamics.launch import check, launch, objective_of, slug, with_loss
from edgewise.dynamics.pairing import Process, paired, shaped
from edgewise.dynamics.probes import Probe
from edgewise.dynamics.process import ProcessState, advance, begin, begin_at, look, memories
from edgewise.dynamics.progress import Progress
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.dynamics.run import CHECKPOINT_SECONDS, Run, open_run
from edgewise.foundation import SettingError
from edgewise.objectives import Objective


def fork(
    run: Run | str | Path,
    steps: int,
    *,
    at: int | None = None,
    processes: Mapping[str, Process] | None = None,
    probes: Sequence[Probe] | None = None,
    until: Sequence[Event] | None = None,
    objective: Objective | Problem | None = None,
    store: str | Path | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Run:
    """Continue a stored run from one of its steps with something changed, as a run of its own.

    What is not given stays as it was. The state at `at` is that of the nearest checkpoint before, advanced
    without reading, so with nothing changed the iterates of a fork are bit for bit those of the run. Probes and
    events start anew: `Diverged`, say, compares with the loss at the fork.

    Args:
        run: the run, or its folder; it is left as it is.
        steps: how many steps the fork shall have in all, counted from the start of the run.
        at: the step at which it branches off; None takes that of the newest checkpoint.
        processes: those of the fork. One with the name and the type of a process of the run goes on with its state
            (a new step size, say); one with its name and another type starts anew at its point, its schedule with
            it; a new name starts at the point of the run's first process.
        probes: what to read.
        until: what ends a process early.
        objective: what the run descends, if that was made by hand and is not in memory any more.
        store: the folder in which to keep the fork's folder; None keeps it until the `Run` is gone.
        name: a few words for the name of the fork's folder.
        progress: what shows the progress; None shows a bar on a terminal.
        checkpoint_seconds: how often to save the state from which the fork can be resumed.

    Raises:
        SettingError: if the run was never at `at`, or there is nothing to do.
        RecordError: if the objective is not that of the run.

    Example:
        >>> import torch, edgewise as ew
        >>> bowl = ew.Objective.from_function(lambda w: (w**2).sum(), 2, start=torch.ones(2))
        >>> run = ew.evolve({"gd": ew.GradientDescent(0.1)}, bowl, steps=10)
        >>> slower = ew.fork(run, 12, at=4, processes={"gd": ew.GradientDescent(0.05)})
        >>> slower.dataset.step.values.tolist()
        [4, 5, 6, 7, 8, 9, 10, 11, 12]
    """
    run = run if isinstance(run, Run) else open_run(run)
    old, target = run.recipe, run.objective_for(None if objective is None else objective_of(objective))
    at = (run.record.checkpoints() or (0,))[-1] if at is None else at
    recipe = replace(
        old,
        processes=shaped(paired(processes), target.space) if processes is not None else old.processes,
        probes=with_loss(probes) if probes is not None else old.probes,
        until=(NonFinite(), *until) if until is not None else old.until,
        steps=steps,
    )
    check(recipe)
    if steps < at:
        raise SettingError(
            f"steps={steps} for a fork at step {at}",
            "steps counts from the start of the run",
            f"Type steps={at + 1000} for a thousand more",
        )
    branch = _states_at(run, old, target, at)
    states = {name: _branched(old, recipe, name, branch, target, at) for name in recipe.processes}
    return launch(
        recipe,
        target,
        states,
        at,
        store=store,
        name=name or slug("fork", *recipe.processes),
        progress=progress,
        checkpoint_seconds=checkpoint_seconds,
        forked_from={"run": run.record.name, "step": at},
    )


def _states_at(run: Run, recipe: Recipe, objective: Objective, at: int) -> dict[str, ProcessState]:
    """The states of the run before step `at`, advanced from the nearest checkpoint before it."""
    last = int(run.dataset["step"][-1])
    if not 0 <= at <= last:
        raise SettingError(f"at={at}", f"the run has the steps 0 to {last}", f"Type at={last}")
    saved = [step for step in run.record.checkpoints() if step <= at]
    if saved:
        step, (_, states) = saved[-1], load(run.record.checkpoint(saved[-1]), objective.device)
    elif run.manifest.get("forked_from"):
        first = int(run.dataset["step"][0])
        raise SettingError(f"at={at}", f"the run was forked itself, at step {first}", f"Type at={first} or more")
    else:
        step, states = 0, begin(recipe, objective)
    unread = replace(recipe, probes=(), until=())
    remember = max([1, *(probe.history for probe in recipe.probes)])
    for now in range(step, at):
        for name, outcome in run.outcomes.items():
            # An event has ended it, which nobody looks for here.
            if outcome.step <= now and outcome.kind not in ("finished", "interrupted"):
                states[name] = replace(states[name], outcome=outcome)
        frames, states = look(unread, objective, states, now)
        for name, frame in frames.items():
            states[name] = advance(unread, name, frame, states[name], objective, remember)
    return states


def _branched(
    old: Recipe, recipe: Recipe, name: str, branch: Mapping[str, ProcessState], objective: Objective, at: int
) -> ProcessState:
    """The state with which a process of the fork starts; its probes and events know nothing yet."""
    before = branch.get(name, next(iter(branch.values())))
    if name in branch and _alike(recipe.processes[name], old.processes[name]):
        probes, events = memories(recipe, name, objective)
        outcome = before.outcome if recipe.processes[name] == old.processes[name] else None
        return replace(before, probes=probes, events=events, outcome=outcome)
    return replace(begin_at(recipe, name, objective, before.w), start=before.start, time=before.time, since=at)


def _alike(process: Any, other: Any) -> bool:
    """Whether the state of one is a state of the other: the same type, around the same types."""
    if type(process) is not type(other):
        return False
    inside, there = (
        (*getattr(one, "methods", ()), *([one.method] if hasattr(one, "method") else []))
        for one in (process, other)
    )
    return len(inside) == len(there) and all(_alike(*pair) for pair in zip(inside, there, strict=True))
