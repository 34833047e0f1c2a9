"""The progress bar over the runs of a reproduction."""

import sys
from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgewise.reproduction import Done


@final
class Bar:
    """One line on standard error where someone is looking: runs done, time left, and what ended last."""

    def __init__(self, total: int, unit: str) -> None:
        self._progress = Progress(
            TextColumn(unit),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty() or not total,
        )
        self._line = self._progress.add_task("runs", total=total, words="")

    def told(self, done: Done) -> None:
        """A job has ended."""
        words = f"{done.job.label}{' failed' if done.trouble else ''}"
        self._progress.update(self._line, advance=1, words=words)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
