"""The writing side of `series.sqlite`: one row a step, one column a number.

SQLite in WAL mode: a killed process loses what was not committed and nothing else, and readers see
every committed row while the file is being written. A commit costs several times the row itself, so rows are
committed together, at most every quarter of a second; a thread does it when the next row is slow to come.

One wide row a step is several times cheaper than one row a number, to write as well as to read, and stays legible
to anything that reads SQLite: `SELECT step, loss, "sharpness[1]" FROM readings`.
"""

import sqlite3
import threading
import time
from collections.abc import Mapping
from operator import index
from pathlib import Path
from typing import SupportsIndex, final

import numpy as np

from edgewise.foundation import RecordError
from edgewise.records.series import Event, Reading, Series
from edgewise.records.trouble import explain, explaining

COMMIT_EVERY = 0.25
"""Seconds that a row may wait to be committed: a quarter of what a killed run may lose."""

# SQLite takes 2000 columns as it is usually built; and each new one makes it read the schema again.
_ROOM = 1000

# Columns are ANY in STRICT tables, which stores a float64 as it is; REAL would turn -0.0 into 0.0.
# SQLite has no NaN: it is stored as NULL, like a reading that was not taken.
_SCHEMA = """
CREATE TABLE processes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE series (
    name TEXT PRIMARY KEY COLLATE NOCASE, dim TEXT, units TEXT NOT NULL, long_name TEXT NOT NULL,
    width INTEGER NOT NULL
) STRICT;
CREATE TABLE readings (
    step INTEGER, process INTEGER REFERENCES processes, PRIMARY KEY (step, process)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, step INTEGER NOT NULL, process TEXT, kind TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
"""


def create_series_file(path: Path) -> None:
    """Make an empty `series.sqlite`."""
    with explaining(path, "writing"):
        connection = _connect(path, "rwc")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        finally:
            connection.close()


@final
class SeriesWriter:
    """An open `series.sqlite`, for the one process that writes it.

    Args:
        path: the file, made by `create_series_file`.
        from_step: readings and events at this step and later are deleted first.
    """

    def __init__(self, path: Path, from_step: int) -> None:
        self._path = path
        self._committed = 0.0
        self._guard = threading.Lock()
        self._pending, self._closing = threading.Event(), threading.Event()
        with explaining(path, "opening"):
            self._connection = _connect(path)
            try:
                self._recall()
                self._connection.execute("BEGIN")
                self._connection.execute("DELETE FROM readings WHERE step >= ?", (from_step,))
                self._connection.execute("DELETE FROM events WHERE step >= ?", (from_step,))
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.close()
                raise
        self._committer = threading.Thread(target=self._commit_when_idle, name="record", daemon=True)
        self._committer.start()

    def declare(self, series: Series) -> None:
        """Make room for `series`; declaring it again, unchanged, does nothing."""
        known = {name.lower(): name for name in self._series}.get(series.name.lower())
        if known is not None:
            if self._series[known] != series:
                raise RecordError(
                    f"declaring {series}",
                    f"the run already has {self._series[known]}",
                    "Give one of the two another name",
                )
            return
        dims = {dim for other in (*self._series.values(), series) for dim in other.dims}
        if clash := dims & {series.name, *self._series}:
            raise RecordError(
                f"declaring {series}",
                f"{clash.pop()!r} would be both a series and a dimension",
                "Give one of the two another name",
            )
        with self._guard:
            try:
                self._begin()
                self._connection.execute(
                    "INSERT INTO series VALUES (?, ?, ?, ?, 0)",
                    (series.name, *(series.dims or (None,)), series.units, series.long_name),
                )
                self._series[series.name], self._widths[series.name] = series, 0
                if not series.dims:
                    self._widen(series, 1)
                self._commit()
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def append(self, process: str, step: SupportsIndex, readings: Mapping[str, Reading]) -> None:
        """Add `readings` to the row of `process` at `step`."""
        values: list[object] = [index(step), 0]
        with self._guard:
            try:
                self._begin()
                for name, reading in readings.items():
                    self._collect(name, reading, values)
                values[1] = self._process_id(process)
                self._connection.execute(self._statement(tuple(readings)), values)
                if time.monotonic() - self._committed >= COMMIT_EVERY:
                    self._commit()
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def event(self, event: Event) -> None:
        """Add an event, committed at once."""
        with self._guard:
            try:
                self._begin()
                self._connection.execute(
                    "INSERT INTO events (step, process, kind, text) VALUES (?, ?, ?, ?)",
                    (event.step, event.process, event.kind, event.text),
                )
                self._commit()
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def flush(self, durable: bool = False) -> None:
        """Commit what is pending; if `durable`, wait until it would survive a power cut."""
        with self._guard:
            try:
                self._commit()
                if durable:
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def close(self) -> None:
        """Commit what is pending and let go of the file."""
        try:
            self.flush()
        finally:
            self._closing.set()
            self._pending.set()
            self._committer.join()
            with explaining(self._path, "closing"):
                self._connection.close()

    def _commit_when_idle(self) -> None:
        while not self._closing.is_set():
            self._pending.wait()
            if self._closing.wait(COMMIT_EVERY):
                return
            with self._guard:
                try:
                    self._commit()
                except sqlite3.Error:
                    # The rows stay pending; the writing thread meets the same trouble at its next
                    # call, and can tell the caller.
                    continue

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
            self._pending.set()

    def _commit(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._pending.clear()
        self._committed = time.monotonic()

    def _trouble(self, error: sqlite3.Error) -> RecordError:
        # SQLite may have rolled back on its own, and with it columns and processes added since.
        complaint = explain(error, self._path, "writing")
        try:
            self._recall()
        except sqlite3.Error:
            return complaint
        return complaint

    def _recall(self) -> None:
        rows = self._connection.execute("SELECT name, dim, units, long_name, width FROM series").fetchall()
        self._series = {
            name: Series(name, (dim,) if dim else (), units, long_name) for name, dim, units, long_name, _ in rows
        }
        self._widths = {name: width for name, *_, width in rows}
        self._processes = dict(self._connection.execute("SELECT name, id FROM processes").fetchall())
        self._statements: dict[tuple[str, ...], str] = {}

    def _collect(self, name: str, reading: Reading, values: list[object]) -> None:
        series = self._series.get(name)
        if series is None:
            raise RecordError(
                f"a reading of {name!r}",
                "no such series was declared",
                f"Declare it first, with Series({name!r}); declared are {', '.join(self._series) or 'none'}",
            )
        if type(reading) is float and not series.dims:
            values.append(reading)  # the common case, at a fifth of the cost of an array
            return
        try:
            numbers = np.asarray(reading, dtype=np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise RecordError(
                f"a reading of {name!r}",
                f"it is not made of numbers ({error})",
                "Give numbers; detach a tensor that requires its gradient",
            ) from error
        if numbers.ndim != len(series.dims):
            raise RecordError(
                f"a reading of {name!r} with shape {numbers.shape}",
                f"the series is declared with dimensions {series.dims}",
                "Give one number" if not series.dims else "Give a sequence of numbers, one-dimensional",
            )
        if not series.dims:
            values.append(float(numbers))
            return
        self._widen(series, len(numbers))
        values.extend(numbers.tolist())
        # The rest of the row is set too, so that writing a row again leaves nothing of the first.
        values.extend([None] * (self._widths[name] - len(numbers)))

    def _widen(self, series: Series, width: int) -> None:
        known = self._widths[series.name]
        if width <= known:
            return
        if sum(self._widths.values()) + width - known > _ROOM:
            raise RecordError(
                f"a reading of {series.name!r} with {width} numbers",
                f"a run holds at most {_ROOM} numbers a step",
                "Put long arrays into a checkpoint",
            )
        for column in series.columns(width)[known:]:
            self._connection.execute(f"ALTER TABLE readings ADD COLUMN {column} ANY")
        self._connection.execute("UPDATE series SET width = ? WHERE name = ?", (width, series.name))
        self._widths[series.name] = width
        self._statements.clear()

    def _process_id(self, process: str) -> int:
        known = self._processes.get(process)
        if known is None:
            known = self._connection.execute("INSERT INTO processes (name) VALUES (?)", (process,)).lastrowid
            assert known is not None
            self._processes[process] = known
        return known

    def _statement(self, names: tuple[str, ...]) -> str:
        known = self._statements.get(names)
        if known is None:
            columns = [c for name in names for c in self._series[name].columns(self._widths[name])]
            update = ", ".join(f"{c} = excluded.{c}" for c in columns)
            known = self._statements[names] = (
                f"INSERT INTO readings ({', '.join(['step', 'process', *columns])})"
                f" VALUES ({', '.join('?' * (2 + len(columns)))})"
                f" ON CONFLICT DO {f'UPDATE SET {update}' if update else 'NOTHING'}"
            )
        return known


def _connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    # rw by default: a series file that has gone missing is not silently replaced by an empty one.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=10.0,
        isolation_level=None,
        check_same_thread=False,  # the committing thread shares it, under a lock
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
