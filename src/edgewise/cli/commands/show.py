"""`edgewise show`: one run with its verdict, or all runs of a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from edgewise.dynamics import Run

_STORE = Path("runs")
_ROWS = 10


def show(run: str | None = None, /, *, store: Path = _STORE, rows: int = _ROWS, figure: Path | None = None) -> int:
    """Show a run: what was run, how it ended, and its verdict. Without a run, list those there are.

      edgewise show
      edgewise show latest
      edgewise show demo-3f9a --figure overview.svg

    Args:
        run: its folder, a part of its name that no other run has, or latest.
        store: the folder in which the runs' folders are.
        rows: how many rows of readings.
        figure: draw it into this file, whose ending (.png, .svg, .pdf) says how.
    """
    from edgewise.cli.manifest import facts_of
    from edgewise.cli.report import draw, facts, output, shown
    from edgewise.cli.watched import facts_of_readings, was_watched
    from edgewise.dynamics import Run
    from edgewise.foundation import SettingError
    from edgewise.records import find_record

    if run is None:
        if figure is not None:
            raise SettingError(
                "--figure without a run", "a figure shows one run", f"Type edgewise show latest --figure {figure}"
            )
        return _list(store)
    if rows < 0:
        raise SettingError(f"--rows {rows}", "rows are counted", f"Type --rows {_ROWS}")
    opened = Run(find_record(run, store))
    console = output()
    read = facts_of_readings(opened.dataset) if was_watched(opened) else ()
    facts(console, ("run", shown(opened.path)), *facts_of(opened.manifest), *read)
    if rows:
        console.print()
        console.print(_table(opened, rows))
    facts(console, *_ending(opened))
    if figure is not None:
        facts(console, ("figure", shown(draw(opened, figure))))
    return 0


def _list(store: Path) -> int:
    """The runs of a store, newest last."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from edgewise.cli.report import output, verdicts
    from edgewise.dynamics import Run
    from edgewise.foundation import EdgewiseError
    from edgewise.records import Listing, list_records

    console = output()
    listing = list_records(store) if store.exists() else Listing(records=(), broken=())
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    out.add_column("run", overflow="fold")
    out.add_column("verdict")
    for record in listing.records:
        try:
            verdict = " ".join(text for _, text in verdicts(Run(record)))
        except EdgewiseError as error:
            verdict = str(error)
        if console.is_terminal:
            out.add_row(Text(record.name), Text(verdict))
        else:
            console.print(f"{record.name}  {verdict}", soft_wrap=True)
    if out.row_count:
        console.print(out)
    for complaint in listing.broken:
        console.print(str(complaint), soft_wrap=True)
    if not listing.records and not listing.broken:
        console.print(
            f"There are no runs in {store}. Make one with edgewise demo, or edgewise run.", soft_wrap=True
        )
    return 0


def _table(run: "Run", count: int) -> "Table":
    from edgewise.cli.table import table
    from edgewise.cli.watched import table_of_readings, was_watched

    return table_of_readings(run.dataset, count) if was_watched(run) else table(_rows(run, count))


def _rows(run: "Run", count: int) -> "list[tuple[int, dict[str, Any]]]":
    """Readings of every process at `count` steps spread over the run, the first and the last among them."""
    import numpy as np

    dataset = run.dataset
    wanted = dataset["sharpness" if "sharpness" in dataset else "loss"].transpose("step", ...).values
    read = np.flatnonzero(np.isfinite(wanted).any(axis=tuple(range(1, wanted.ndim))))
    chosen = read[np.unique(np.linspace(0, len(read) - 1, count).round().astype(int))] if len(read) else read
    lines = []
    for i in chosen:
        at = dataset.isel(step=int(i))
        rows = {
            str(process): {str(name): at[name].sel(process=process).values.tolist() for name in dataset.data_vars}
            for process in dataset["process"].values
        }
        lines.append((int(at["step"]), rows))
    return lines


def _ending(run: "Run") -> list[tuple[str, str]]:
    """Why the run ended, if it has, and its verdict."""
    from edgewise.cli.report import resuming, verdicts
    from edgewise.cli.watched import was_watched

    outcomes, watched = run.outcomes, was_watched(run)
    if run.record.writer is not None:
        lines = [("state", f"being written by process {run.record.writer}")]
    elif outcomes:
        prefixes = ["" if watched else f"{process}: " for process in outcomes]
        named = zip(prefixes, outcomes.values(), strict=True)
        lines = [("ended", f"{prefix}{outcome.sentence}") for prefix, outcome in named]
    elif watched:
        lines = [("ended", "killed before the watch was closed")]
    else:
        lines = [("ended", f"killed before it could say why; to go on, type {resuming(run.path)}")]
    return [*lines, *verdicts(run)]
