"""Watching a run: a live table with a progress bar on a terminal, plain lines elsewhere."""

import time
from typing import final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from edgewise.cli.table import HEADINGS, Rows, cells, table
from edgewise.dynamics import Progress

# Seconds between two drawings of the live table: smooth to the eye, and too rare to cost anything.
_REFRESH = 0.1
# Rows in the live table, which shall fit on a terminal of 24 lines together with what is around it; and how
# many times as many are remembered, to choose from.
_SHOWN, _FINER = 12, 5
# Plain lines in a whole run, and the longest silence in seconds.
_LINES, _SILENCE = 20, 30.0
_WIDTHS = (8, 11, 10, 21, 18, 12, 11)


def watcher(console: Console) -> Progress:
    """What suits the console: a live table on a terminal, plain lines elsewhere."""
    return LiveTable(console) if console.is_terminal else PlainLines(console)


@final
class LiveTable(Progress):
    """A table that grows to a dozen rows spread over the run, the last one changing in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._milestones = Milestones()
        self._last: tuple[int, Rows] | None = None
        self._known: Rows = {}
        self._drawn = 0.0

    def begin(self, step: int, steps: int) -> None:
        """Show a bar."""
        self._bar, self._task = _bar(self._console, step, steps)
        self._live = Live(self._bar, console=self._console, auto_refresh=False)
        self._live.start()

    def row(self, step: int, rows: Rows) -> None:
        """Take the row in; draw if the last drawing is some time ago.

        While it moves, the last row shows the latest reading of what is not read at every step.
        """
        self._milestones.add(step, rows)
        self._last = step, rows
        self._known = {name: {**self._known.get(name, {}), **row} for name, row in rows.items()}
        self._bar.update(self._task, completed=step)
        now = time.monotonic()
        if now - self._drawn >= _REFRESH:
            self._draw(step, self._known)
            self._drawn = now

    def end(self) -> None:
        """Leave the last table standing."""
        if self._last:
            self._draw(*self._last)
        self._live.stop()

    def _draw(self, step: int, rows: Rows) -> None:
        lines = [line for line in self._milestones.lines if line[0] < step]
        self._live.update(Group(table([*lines, (step, rows)], current=step), self._bar), refresh=True)


@final
class PlainLines(Progress):
    """A line now and then, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[int, Rows] | None = None
        self._said: int | None = None
        self._reads_sharpness = False

    def begin(self, step: int, steps: int) -> None:
        """The headings."""
        self._first, self._steps, self._stretch = step, steps, nice((steps - step) / _LINES)
        self._since = self._spoke = time.monotonic()
        self._say(*HEADINGS, "time left")

    def row(self, step: int, rows: Rows) -> None:
        """A line, if one is due."""
        self._last = step, rows
        reading = any("sharpness" in row for row in rows.values())
        self._reads_sharpness |= reading
        fresh = self._said is None or step // self._stretch > self._said // self._stretch
        if (fresh and (reading or not self._reads_sharpness)) or time.monotonic() - self._spoke > _SILENCE:
            self._line(step, rows)

    def end(self) -> None:
        """The last row, if it was not shown."""
        if self._last and self._last[0] != self._said:
            self._line(*self._last)

    def _line(self, step: int, rows: Rows) -> None:
        self._said, self._spoke = step, time.monotonic()
        done = step - self._first
        left = (self._spoke - self._since) / done * (self._steps - step) if done else None
        clock = "–" if left is None else f"{int(left) // 60}:{int(left) % 60:02d}"
        for name, row in rows.items():
            words = [cell.plain for cell in cells(step, row)]
            self._say(*words, clock, *([name] if len(rows) > 1 else []))

    def _say(self, *words: str) -> None:
        line = "".join(word.rjust(width) for word, width in zip(words, _WIDTHS, strict=False))
        more = "  ".join(["", *words[len(_WIDTHS) :]])
        self._console.print(line + more, soft_wrap=True, highlight=False, markup=False)


@final
class Milestones:
    """At most a dozen rows, spread evenly over however many steps there have been.

    Of every stretch of so many steps the first row with a reading is kept, in stretches that are finer than
    those shown, and made longer as the rows become too many.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, Rows]] = []
        self._stretch = 1
        self._reads_sharpness = False

    def add(self, step: int, rows: Rows) -> None:
        """Keep this row if it opens a new stretch."""
        reading = any("sharpness" in row for row in rows.values())
        if reading and not self._reads_sharpness:
            self._reads_sharpness, self._kept = True, []
        if reading or not self._reads_sharpness:
            self._kept = _openings([*self._kept, (step, rows)], self._stretch)
        while len(self._kept) > _FINER * _SHOWN:
            self._stretch = _longer(self._stretch)
            self._kept = _openings(self._kept, self._stretch)

    @property
    def lines(self) -> list[tuple[int, Rows]]:
        """Step and readings of the rows to show."""
        stretch = self._stretch
        while len(lines := _openings(self._kept, stretch)) > _SHOWN:
            stretch = _longer(stretch)
        return lines


def _openings(lines: list[tuple[int, Rows]], stretch: int) -> list[tuple[int, Rows]]:
    """The first line of every stretch."""
    firsts = {step // stretch: (step, rows) for step, rows in reversed(lines)}
    return [firsts[key] for key in sorted(firsts)]


def _longer(stretch: int) -> int:
    """The next nice number that is a multiple of `stretch`."""
    longer = nice(stretch + 1)
    while longer % stretch:
        longer = nice(longer + 1)
    return longer


def nice(number: int | float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is at least `number`."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= number:
                return digit * power
        power *= 10


def _bar(console: Console, step: int, steps: int) -> tuple[Bar, TaskID]:
    bar = Bar(
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(bar_width=None),
        TextColumn("time left"),
        TimeRemainingColumn(),
        console=console,
        expand=False,
    )
    return bar, bar.add_task("", total=steps, completed=step)
