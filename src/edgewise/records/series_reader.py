"""The reading side of `series.sqlite`, which may be growing meanwhile, or lie on a read-only disk."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy import ndarray

from edgewise.foundation import RecordError
from edgewise.records.series import Event, Series
from edgewise.records.trouble import explain, explaining

_Answer = TypeVar("_Answer")

# Rows fetched at a time: enough to amortise NumPy's conversion, few enough that the Python floats in
# between (eight times the size of the array) never dominate memory.
_ROWS = 10_000


def read_dataset(path: Path) -> xr.Dataset:
    """All readings as labelled arrays.

    Dimensions are process, step and those the series declare (counted from 1); what was not read is
    NaN. A series named `time` is a coordinate.
    """
    return ask(path, _dataset)


def read_events(path: Path) -> tuple[Event, ...]:
    """All events, in the order of their steps."""
    return ask(
        path,
        lambda connection: tuple(
            Event(*row)
            for row in connection.execute("SELECT step, process, kind, text FROM events ORDER BY step, id")
        ),
    )


def _dataset(connection: sqlite3.Connection) -> xr.Dataset:
    # One transaction: every query sees the same rows.
    connection.execute("BEGIN")
    series = [
        (Series(name, (dim,) if dim else (), units, long_name), width)
        for name, dim, units, long_name, width in connection.execute(
            "SELECT name, dim, units, long_name, width FROM series ORDER BY rowid"
        )
    ]
    processes = connection.execute("SELECT id, name FROM processes ORDER BY id").fetchall()
    columns = [column for one, width in series for column in one.columns(width)]
    table = _table(connection, ["step", "process", *columns])

    steps, at_step = np.unique(table[:, 0].astype(np.int64), return_inverse=True)
    at_process = np.searchsorted([identity for identity, _ in processes], table[:, 1])
    widths: dict[str, int] = {}
    for one, width in series:
        for dim in one.dims:
            widths[dim] = max(width, widths.get(dim, 0))

    variables: dict[str, xr.Variable] = {}
    first = 2
    for one, width in series:
        shape = (len(processes), len(steps), *(widths[dim] for dim in one.dims))
        values = np.full(shape, np.nan)
        block = table[:, first : first + width]
        if one.dims:
            values[at_process, at_step, :width] = block
        else:
            values[at_process, at_step] = block[:, 0]
        first += width
        attributes = {"units": one.units, "long_name": one.long_name}
        variables[one.name] = xr.Variable(("process", "step", *one.dims), values, attributes)

    coordinates: dict[str, object] = {
        "process": np.array([name for _, name in processes], dtype=str),
        "step": steps,
        **{dim: np.arange(1, width + 1) for dim, width in widths.items()},
    }
    if "time" in variables:
        coordinates["time"] = variables.pop("time")
    return xr.Dataset(variables, coordinates)


def _table(connection: sqlite3.Connection, columns: list[str]) -> Float[ndarray, "rows columns"]:
    cursor = connection.execute(f"SELECT {', '.join(columns)} FROM readings ORDER BY step, process")
    blocks = [np.empty((0, len(columns)))]
    while rows := cursor.fetchmany(_ROWS):
        blocks.append(np.array(rows, dtype=np.float64))
    return np.concatenate(blocks)


def ask(path: Path, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
    """Put `question` to the file, without ever writing into its folder where nobody is writing already."""
    doing = "reading"
    if not path.exists():
        raise RecordError(
            f"{doing} {path}", "it does not exist, though the run's manifest does", "Restore the file from a copy"
        )
    before = _fingerprint(path)
    if before is not None:
        # No log: the file is complete by itself, and SQLite may take it as unchanging, which needs neither
        # locks nor files beside it. Should a writer have come meanwhile, ask again.
        try:
            answer = _put(path, "immutable=1", question)
        except sqlite3.Error as error:
            if _fingerprint(path) == before:
                raise explain(error, path, doing) from error
        else:
            if _fingerprint(path) == before:
                return answer
    try:
        return _put(path, "mode=ro", question)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise explain(error, path, doing) from error
    # A log that nobody has taken in yet, in a folder where SQLite may not put its index: read a copy.
    with explaining(path, doing), tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{folder}/{path.name}{suffix}")
        return _put(Path(folder) / path.name, "mode=ro", question)


def _put(path: Path, mode: str, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)) as c:
        return question(c)


def _fingerprint(path: Path) -> tuple[int, int] | None:
    """What changes when the file is written; None while a log holds rows that it lacks."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return None
    now = path.stat()
    return now.st_mtime_ns, now.st_size
