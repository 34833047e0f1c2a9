"""What is said when a run has ended: why, the verdict, where it lies, and how to go on."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgewise.cli.complaints import INTERRUPTED
from edgewise.cli.watched import said, was_watched
from edgewise.foundation import NounError, RecordError
from edgewise.methods import GradientDescent, HeavyBall, Method, Schedule

if TYPE_CHECKING:
    from edgewise.dynamics import Run

FIGURE = "overview.png"
"""The name of the figure in the folder of a run."""


def output() -> Console:
    """Where results go."""
    return Console(highlight=False, markup=False)


def watched() -> Console:
    """Where progress goes."""
    return Console(stderr=True, highlight=False, markup=False)


def facts(console: Console, *rows: tuple[str, str], indent: int = 0) -> None:
    """Names and values, a line each; wrapped on a terminal, whole lines elsewhere."""
    width = max(len(name) for name, _ in rows)
    if not console.is_terminal:
        for name, value in rows:
            console.print(" " * indent + f"{name.ljust(width)}  {value}", soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, Text(value))
    console.print(Padding(grid, (0, 0, 0, indent)))


def announce(console: Console, what: str, *words: str) -> None:
    """One line before a run starts."""
    console.print(Text.assemble((what, "bold"), "  ", ", ".join(words)), soft_wrap=True)


def summary(process: Any) -> tuple[str, ...]:
    """A process in words: its name, and for a method its step size and where it loses stability."""
    if not isinstance(process, Method):
        return (str(process),)
    match process:
        case GradientDescent():
            words = "gradient descent"
        case HeavyBall(beta=beta):
            words = f"heavy ball with β = {beta:g}"
        case _:
            words = type(process).__name__
    if isinstance(process.lr, Schedule):
        return words, str(process.lr), f"critical curvature {process.critical_formula}"
    critical = process.critical_curvature
    known = process.critical_formula if callable(critical) else f"{process.critical_formula} = {critical:.4g}"
    return words, f"η = {process.lr:.4g}", known


def report(run: "Run", *, figure: bool) -> int:
    """Say how a run ended and what it was; returns the exit code.

    Args:
        run: a run that has just ended.
        figure: whether to draw it into its folder.
    """
    console = output()
    interrupted = False
    lines = []
    for process, outcome in run.outcomes.items():
        interrupted |= outcome.kind == "interrupted"
        prefix = f"{process}: " if len(run.outcomes) > 1 else ""
        ending = f"Interrupted at step {outcome.step}." if outcome.kind == "interrupted" else outcome.sentence
        lines.append(("ended", prefix + ending))
    lines += [*verdicts(run), ("run", shown(run.path))]
    if figure:
        lines.append(("figure", shown(draw(run, run.path / FIGURE))))
    if interrupted:
        lines.append(("to go on", resuming(run.path)))
    facts(console, *lines)
    return INTERRUPTED if interrupted else 0


def verdicts(run: "Run") -> list[tuple[str, str]]:
    """The verdict on every process, as facts; of a training that was watched what the watch said last."""
    words = said(run) if was_watched(run) else None
    if words is not None:
        return [("verdict", words)]
    dataset = run.dataset
    processes = [str(name) for name in dataset["process"].values] if dataset.sizes["step"] else []
    if not processes:
        return [("verdict", "Cannot tell: nothing has been read yet.")]
    prefixes = [f"{process}: " if len(processes) > 1 else "" for process in processes]
    named = zip(prefixes, processes, strict=True)
    return [("verdict", f"{prefix}{_verdict(run, process)}") for prefix, process in named]


def _verdict(run: "Run", process: str) -> str:
    """The verdict on a process, or why there is none."""
    try:
        return str(run.verdict(process))
    except RecordError as error:
        return f"Cannot tell: {error.why}."


def draw(run: "Run", path: Path) -> Path:
    """The overview of a run as a file.

    Raises:
        SettingError: if the ending of `path` is no kind of figure.
    """
    from edgewise.figures import overview, readings, save

    if was_watched(run):
        return save(readings(run.dataset, title=run.path.name, verdict=verdicts(run)[0][1]), path)
    return save(overview(run.dataset, title=_title(run), verdict=str(run.verdict())), path)


def _title(run: "Run") -> str:
    """The problem and what descended it; the name of the folder, if the recipe cannot be read here."""
    try:
        recipe = run.recipe
    except NounError:
        return run.path.name
    methods = recipe.processes
    words = ", ".join(summary(*methods.values())[:2] if len(methods) == 1 else methods)
    return f"{recipe.problem.name}: {words}" if recipe.problem else words


def resuming(path: Path) -> str:
    """The line to type to go on with a run."""
    return f"edgewise run --resume {shlex.quote(shown(path))}"


def shown(path: Path) -> str:
    """A path as short as it can be typed here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
