"""What starts a run, be it new or a fork: its recipe is checked, its folder made, and the loop entered."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edgewise.dynamics.events import Event
from edgewise.dynamics.fingerprint import fingerprint
from edgewise.dynamics.loop import descend
from edgewise.dynamics.observation import declare
from edgewise.dynamics.pairing import check_pairs, formula_of
from edgewise.dynamics.probes import Accuracy, Loss, Probe
from edgewise.dynamics.process import ProcessState
from edgewise.dynamics.progress import Progress, default_progress
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.dynamics.run import Run
from edgewise.foundation import JSON, EdgewiseError, SettingError, decode, encode
from edgewise.objectives import Objective
from edgewise.records import Record, RecordWriter, provenance


def launch(
    recipe: Recipe,
    objective: Objective,
    states: Mapping[str, ProcessState],
    step: int = 0,
    *,
    store: str | Path | None,
    name: str,
    progress: Progress | None,
    checkpoint_seconds: float,
    forked_from: Mapping[str, JSON] | None = None,
) -> Run:
    """Make the run's folder and descend from `step`."""
    with ExitStack() as folder:
        if store is None:
            store = tempfile.mkdtemp(prefix="edgewise-")
            folder.callback(shutil.rmtree, store, ignore_errors=True)
        manifest = _manifest(recipe, objective, forked_from)
        with RecordWriter.create(store, name, manifest) as writer:
            declare(writer, recipe)
            descend(recipe, objective, writer, states, step, progress or default_progress(), checkpoint_seconds)
        run = Run(Record.open(writer.path), objective)
        # A run without a store lives in a folder that goes with it.
        weakref.finalize(run, folder.pop_all().close)
    return run


def slug(*words: str) -> str:
    """Words as part of the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower())


def objective_of(problem: Any) -> Objective:
    """An objective, given as such or as a problem that builds one.

    Raises:
        SettingError: if it is neither.
    """
    if isinstance(problem, Objective):
        return problem
    if isinstance(problem, Problem):
        return problem.objective()
    raise SettingError(
        f"an objective of type {type(problem).__name__}",
        "there is nothing in it to descend",
        "Type Objective.from_module(module, criterion, (inputs, targets)), or problems.digits_mlp()",
    )


def with_loss(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """The probes, with the loss and the accuracy, which are always read."""
    every = next((probe.every for probe in probes if isinstance(probe, Loss)), 1)
    always = (Loss(every), Accuracy(every))
    extra = [probe for probe in always if not any(type(probe) is type(own) for own in probes)]
    return (*extra, *probes)


def check(recipe: Recipe) -> None:
    """Refuse what cannot be run.

    Raises:
        SettingError: if there is nothing to do, two probes write the same series, or an event waits for a series
            that nobody reads.
    """
    if not recipe.processes:
        raise SettingError("no process", "there is nothing to descend with", 'Type {"gd": GradientDescent(0.01)}')
    if recipe.steps < 0:
        raise SettingError(f"steps={recipe.steps}", "steps are counted up from 0", "Type steps=1000")
    noun: Any
    for noun in recipe.probes:
        if not isinstance(noun, Probe):
            raise SettingError(f"{noun!r} among the probes", "it is none", "Type a value, such as Sharpness()")
    for noun in recipe.until:
        if not isinstance(noun, Event):
            raise SettingError(f"{noun!r} in until", "it is not an event", "Type a value, such as Diverged()")
    names = [series.name for probe in recipe.probes for series in probe.series()]
    readers = [(series.name, probe.of) for probe in recipe.probes for series in probe.series()]
    twice = {name for name, of in readers if readers.count((name, of)) > 1 or (of and (name, None) in readers)}
    if twice:
        raise SettingError(
            f"two probes that both write {', '.join(sorted(twice))}",
            "a series holds one reading a step",
            "Keep one of them, or read them in two runs",
        )
    check_pairs(recipe)
    for event in recipe.until:
        if event.reads and not set(event.reads) & set(names):
            by_sharpness = "edge_ratio" in event.reads
            raise SettingError(
                f"until {type(event).__name__} without a probe that reads {event.reads[-1]}",
                "it would never happen",
                "Add one to probes, such as Sharpness()" if by_sharpness else "Add one to probes",
            )


def _manifest(recipe: Recipe, objective: Objective, forked_from: Mapping[str, JSON] | None) -> dict[str, Any]:
    """Everything that is needed to understand the run, and to run it again."""
    try:
        tree = encode(recipe)
        decode(tree)
    except EdgewiseError as error:
        raise SettingError(
            "a run whose recipe cannot be written into its manifest and read back",
            f"{error.given}: {error.why}",
            "Make every method, probe, event and problem a frozen dataclass at the top level of a module",
        ) from error
    return {
        "recipe": tree,
        "critical_formulas": {name: formula_of(recipe.processes, name) for name in recipe.processes},
        "objective": fingerprint(objective),
        "data": dict(recipe.problem.provenance()) if recipe.problem is not None else None,
        "environment": provenance(),
        "forked_from": forked_from,
    }
