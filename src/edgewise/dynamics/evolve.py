"""The verb."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edgewise.dynamics.events import Diverged, Event, NonFinite
from edgewise.dynamics.fingerprint import fingerprint
from edgewise.dynamics.loop import descend
from edgewise.dynamics.observation import declare
from edgewise.dynamics.probes import Accuracy, Loss, Probe
from edgewise.dynamics.process import begin
from edgewise.dynamics.progress import Progress, default_progress
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.dynamics.run import CHECKPOINT_SECONDS, Run
from edgewise.foundation import EdgewiseError, SettingError, decode, encode
from edgewise.methods import Method
from edgewise.objectives import Objective
from edgewise.records import Record, RecordWriter, provenance


def evolve(
    processes: Mapping[str, Method[Any]] | Method[Any],
    problem: Objective | Problem,
    steps: int,
    probes: Sequence[Probe] = (),
    until: Sequence[Event] = (Diverged(),),
    *,
    store: str | Path | None = None,
    name: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Run:
    """Descend an objective by one or more methods in lock step, reading as they go.

    All processes start from the objective's start. Every row is read before its step is taken, so a run of n
    steps has the n + 1 rows 0 … n. The loss is always read; reading changes nothing: with and without
    probes the iterates are bitwise equal.

    Args:
        processes: methods by the name of their process; a single method is called by its class.
        problem: an objective, or a named problem that builds one.
        steps: how many steps to take.
        probes: what to read.
        until: what ends a process early. A loss that is not finite always does.
        store: the folder in which to keep the run's folder; None keeps it until the `Run` is gone.
        name: a few words for the name of the run's folder; None takes those of problem and processes.
        seed: of everything random in the measuring; the objective has its own.
        progress: what shows the progress; None shows a bar on a terminal.
        checkpoint_seconds: how often to save the state from which the run can be resumed.

    Returns:
        The run. Ctrl-C ends it after the step in hand; it can be resumed.

    Raises:
        SettingError: if there is nothing to do, or two probes write the same series.
        RecordError: if the run cannot be written.

    Example:
        >>> import torch, edgewise as ew
        >>> bowl = ew.Objective.from_function(lambda w: 100 * (w**2).sum(), 2, start=torch.ones(2))
        >>> run = ew.evolve(ew.GradientDescent(0.001), bowl, steps=3, probes=[ew.Sharpness()])
        >>> run.sharpness.values.round(6).tolist()
        [[[200.0], [200.0], [200.0], [200.0]]]
    """
    if isinstance(processes, Method):
        processes = {type(processes).__name__: processes}
    recipe = Recipe(
        processes=dict(processes),
        problem=problem if isinstance(problem, Problem) else None,
        steps=steps,
        probes=_with_loss(probes),
        until=(NonFinite(), *until),
        seed=seed,
    )
    _check(recipe)
    objective = problem.objective() if isinstance(problem, Problem) else problem
    with ExitStack() as folder:
        if store is None:
            store = tempfile.mkdtemp(prefix="edgewise-")
            folder.callback(shutil.rmtree, store, ignore_errors=True)
        states = begin(recipe, objective)
        with RecordWriter.create(store, name or _slug(recipe), _manifest(recipe, objective)) as writer:
            declare(writer, recipe)
            descend(recipe, objective, writer, states, 0, progress or default_progress(), checkpoint_seconds)
        run = Run(Record.open(writer.path), objective)
        # A run without a store lives in a folder that goes with it.
        weakref.finalize(run, folder.pop_all().close)
    return run


def _with_loss(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    extra = [probe for probe in (Loss(), Accuracy()) if not any(type(probe) is type(own) for own in probes)]
    return (*extra, *probes)


def _check(recipe: Recipe) -> None:
    if not recipe.processes:
        raise SettingError("no process", "there is nothing to descend with", 'Type {"gd": GradientDescent(0.01)}')
    if recipe.steps < 0:
        raise SettingError(f"steps={recipe.steps}", "steps are counted up from 0", "Type steps=1000")
    names = [series.name for probe in recipe.probes for series in probe.series()]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SettingError(
            f"two probes that both write {', '.join(sorted(twice))}",
            "a series holds one reading a step",
            "Keep one of them, or read them in two runs",
        )
    for event in recipe.until:
        for series in event.reads:
            if series not in names:
                raise SettingError(
                    f"until {type(event).__name__} without a probe that reads {series}",
                    "it would never happen",
                    "Add one to probes, such as Sharpness()" if series == "edge_ratio" else "Add one to probes",
                )


def _manifest(recipe: Recipe, objective: Objective) -> dict[str, Any]:
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
        "critical_formulas": {name: method.critical_formula for name, method in recipe.processes.items()},
        "objective": fingerprint(objective),
        "data": dict(recipe.problem.provenance()) if recipe.problem is not None else None,
        "environment": provenance(),
    }


def _slug(recipe: Recipe) -> str:
    words = [getattr(recipe.problem, "name", "run") or "run", *recipe.processes]
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower())
