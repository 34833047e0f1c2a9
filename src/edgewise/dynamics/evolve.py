"""The verb."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edgewise.dynamics.events import Diverged, Event, NonFinite
from edgewise.dynamics.launch import check, launch, objective_of, slug, with_loss
from edgewise.dynamics.pairing import Process, paired, shaped
from edgewise.dynamics.probes import Probe
from edgewise.dynamics.process import begin
from edgewise.dynamics.progress import Progress
from edgewise.dynamics.recipe import Problem, Recipe
from edgewise.dynamics.run import CHECKPOINT_SECONDS, Run
from edgewise.objectives import Objective


def evolve(
    processes: Mapping[str, Process] | Process,
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
    """Descend an objective by methods and flows in lock step, reading as they go.

    All processes start from the objective's start and share one clock: a step of a flow takes the time of a step
    of the method that it describes. Every row is read before its step is taken, so a run of n steps has the n + 1
    rows 0 … n. The loss is always read; reading changes nothing: with and without probes the iterates are bitwise
    equal. A process that ends, for whatever reason, ends alone.

    Args:
        processes: methods, flows and midpoints by the name of their process; a single one is called by its class.
        problem: an objective, or a named problem that builds one.
        steps: how many steps to take.
        probes: what to read. The loss is read at every step unless a `Loss(every=…)` is given.
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
    if not isinstance(processes, Mapping):
        processes = {type(processes).__name__: processes}
    recipe = Recipe(
        processes=paired(processes),
        problem=problem if isinstance(problem, Problem) else None,
        steps=steps,
        probes=with_loss(probes),
        until=(NonFinite(), *until),
        seed=seed,
    )
    check(recipe)
    objective = objective_of(problem)
    recipe = replace(recipe, processes=shaped(recipe.processes, objective.space))
    return launch(
        recipe,
        objective,
        begin(recipe, objective),
        store=store,
        name=name or slug(getattr(problem, "name", "") or "run", *recipe.processes),
        progress=progress,
        checkpoint_seconds=checkpoint_seconds,
    )
