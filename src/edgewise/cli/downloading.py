"""The progress of a download, in the form that pooch asks for."""

from types import TracebackType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar


@final
class DownloadBar:
    """A bar for each file in turn, on a terminal; nothing elsewhere.

    Attributes:
        total: the bytes of the present file, set by pooch before the first `update`.
    """

    def __init__(self, console: Console, name: str) -> None:
        self.total = 0
        self._bar = Bar(
            TextColumn(name),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "DownloadBar":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, count: int) -> None:
        """So many bytes more."""
        self._bar.update(self._task, advance=count, total=self.total)

    def reset(self) -> None:
        """Nothing of the file yet."""
        self._bar.update(self._task, completed=0)

    def close(self) -> None:
        """The file is complete; another one may follow."""
