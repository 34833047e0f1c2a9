"""Progress is an injected object: the loop tells it what happened, it decides what to show."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, final

from edgewise.dynamics.frame import Readings

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_PATIENCE = 2.0  # seconds; what ends sooner needs no bar
_NAMED = 2  # processes that a line has room for


class Progress(ABC):
    """Hears about every step of a run."""

    @abstractmethod
    def begin(self, step: int, steps: int) -> None:
        """The run starts at `step` and will end at `steps` or before."""

    @abstractmethod
    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        """One step was read: the row of every process that goes on."""

    @abstractmethod
    def end(self) -> None:
        """The run is over."""


@final
class Silent(Progress):
    """Shows nothing."""

    def begin(self, step: int, steps: int) -> None:
        """Nothing."""

    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@final
class ProgressBar(Progress):
    """One line on standard error with loss, edge ratio and time left, for runs of more than two seconds."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._since = 0.0
        self._first = self._steps = 0

    def begin(self, step: int, steps: int) -> None:
        """Start the clock."""
        self._since, self._first, self._steps = time.monotonic(), step, steps

    def row(self, step: int, rows: Mapping[str, Readings]) -> None:
        """Move the bar, once there is one."""
        if self._bar is None:
            if time.monotonic() - self._since < _PATIENCE:
                return
            self._bar = _bar(self._first, self._steps)
        words = "  ".join(f"{name}: {describe(row)}" for name, row in islice(rows.items(), _NAMED))
        self._bar.update(self._bar.task_ids[0], completed=step, words=words)

    def end(self) -> None:
        """Leave the last line standing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def default_progress() -> Progress:
    """A bar where someone is looking, silence elsewhere."""
    return ProgressBar() if sys.stderr.isatty() else Silent()


def describe(row: Readings) -> str:
    """A row in a few words: `loss 0.0312, edge ratio 1.003`."""
    words = [f"loss {row['loss']:.4g}"] if "loss" in row else []
    ratios = row.get("effective_edge_ratio") or row.get("edge_ratio")
    if ratios:
        words.append(f"edge ratio {ratios[0] if not isinstance(ratios, float) else ratios:.3f}")
    return ", ".join(words)


def _bar(step: int, steps: int) -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
        console=Console(stderr=True),
    )
    bar.add_task("run", total=steps, completed=step, words="")
    bar.start()
    return bar
