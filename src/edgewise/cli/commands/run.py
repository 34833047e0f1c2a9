"""`edgewise run`: train a named problem and read its curvature; or go on with a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from edgewise.cli.options.goals import GoalOptions
from edgewise.cli.options.groups import KEEPING
from edgewise.cli.options.method import MethodOptions
from edgewise.cli.options.problem import PROBLEMS, ProblemOptions, typed
from edgewise.cli.options.reading import ReadingOptions

if TYPE_CHECKING:
    from edgewise.dynamics import Run

_STEPS = 1000
_STORE = Path("runs")


def run(
    problem: Annotated[str | None, Parameter(help=f"what to train: {', '.join(PROBLEMS)}.")] = None,
    /,
    *,
    steps: int | None = None,
    threads: int | None = None,
    method: MethodOptions = MethodOptions(),
    goals: GoalOptions = GoalOptions(),
    reading: ReadingOptions = ReadingOptions(),
    options: ProblemOptions = ProblemOptions(),
    resume: Annotated[str | None, Parameter(group=KEEPING)] = None,
    store: Annotated[Path, Parameter(group=KEEPING)] = _STORE,
    name: Annotated[str | None, Parameter(group=KEEPING)] = None,
    figure: Annotated[bool, Parameter(negative="--no-figure", group=KEEPING)] = True,
) -> int:
    """Train a problem, read its curvature, and say what it did. Ctrl-C ends it with what it has.

      edgewise run digits_mlp --critical 16 --activation gelu
      edgewise run cifar10_mlp --critical 200 --steps 20000 --until-edge-held 1000
      edgewise run digits_mlp --method heavy-ball --lr 0.02 --probe sharpness
      edgewise run digits_cnn --lr 0.05 --set batch_norm=true --every 10
      edgewise run --resume latest --steps 5000

    Args:
        steps: how many steps, counted from the start of the run; 1000 if not given.
        threads: processor threads; PyTorch's choice if not given.
        resume: go on with a run: its folder, a part of its name that no other run has, or latest. What it does is
            fixed; only --steps, --threads, --store and --no-figure go with it.
        store: the folder in which the runs' folders are.
        name: a few words for the name of the run's folder.
        figure: draw the run into its folder.
    """
    from edgewise.cli.report import announce, report, summary, watched
    from edgewise.cli.threads import using
    from edgewise.cli.watching import watcher
    from edgewise.dynamics import evolve
    from edgewise.foundation import SettingError

    if resume is not None:
        fixed = [problem] if problem else []
        fixed += [option for part in (method, goals, reading, options) for option in typed(part)]
        fixed += ["--name"] if name is not None else []
        with using(threads):
            gone_on = _resumed(resume, fixed, steps, store)
        return report(gone_on, figure=figure)
    if problem is None:
        raise SettingError(
            "a run without a problem", "there is nothing to train", f"Choose from {', '.join(PROBLEMS)}"
        )
    if goals.until_edge_held is not None and not {"sharpness", "effective-sharpness"} & set(reading.probe):
        raise SettingError(
            f"--until-edge-held {goals.until_edge_held}",
            "no sharpness is going to be read",
            "Add --probe sharpness",
        )
    chosen, descent, until = options.build(problem), method.build(), goals.build()
    probes = reading.build(preconditioned=method.preconditioned, batch_size=method.batch_size)
    console = watched()
    announce(console, chosen.name, *summary(descent))
    with using(threads):
        ended = evolve(
            {method.method: descent},
            chosen,
            _STEPS if steps is None else steps,
            probes,
            until,
            store=store,
            name=name,
            seed=options.seed,
            progress=watcher(console),
        )
    return report(ended, figure=figure)


def _resumed(text: str, fixed: list[str], steps: int | None, store: Path) -> "Run":
    """The run that `text` means, gone on with."""
    from edgewise.cli.report import announce, shown, summary, watched
    from edgewise.cli.watching import watcher
    from edgewise.dynamics import Run
    from edgewise.foundation import SettingError
    from edgewise.records import find_record

    if fixed:
        raise SettingError(
            f"--resume with {', '.join(fixed)}",
            "a run goes on with the recipe that it was started with",
            "Leave that out, or start a new run without --resume",
        )
    run = Run(find_record(text, store))
    console = watched()
    for process, descent in run.recipe.processes.items():
        announce(console, shown(run.path), process, *summary(descent))
    return run.resume(steps, progress=watcher(console))
