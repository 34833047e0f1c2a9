"""How far a reproduction is: a bar over its runs on a terminal, plain lines elsewhere."""

import time
from datetime import timedelta
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

# Seconds between two plain lines; a reproduction that is over sooner says nothing.
_SILENCE = 20.0


@final
class Bar:
    """One line on standard error where someone is looking: runs done, time left, and what ended last.

    Elsewhere, in a log, a line now and then with the same.
    """

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._progress = Progress(
            TextColumn("runs"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal or not total,
        )
        self._line = self._progress.add_task("runs", total=total, words="")
        self._total, self._ended = total, 0
        self._began = self._said = time.monotonic()

    def told(self, done: Done) -> None:
        """A job has ended."""
        self._ended += 1
        words = f"{done.job.label}{' failed' if done.trouble else ''}"
        self._progress.update(self._line, advance=1, words=words)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= _SILENCE:
            self._said = now
            left = (now - self._began) / self._ended * (self._total - self._ended)
            about = f"about {timedelta(seconds=round(left))} left; " if left else ""
            self._console.print(f"{self._ended} of {self._total} runs, {about}last {words}", soft_wrap=True)

    def __enter__(self) -> "Bar":
        if self._total > 1 and not self._console.is_terminal:
            self._console.print(f"{self._total} runs to be made")
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
