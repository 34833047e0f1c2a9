"""What one row of nine numbers costs in the run store, beside the obvious alternatives.

Every way writes the same rows and reads them back as an array. Seconds are those of this machine and its
disk; the ratios are what the choice of the store rests on.
"""

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.table import Table
from benchmarks.timing import progress
from edgewise.records import Record, RecordWriter, Series

NUMBERS = 9
SCALARS = [f"s{i}" for i in range(NUMBERS - 3)]
COMMIT_EVERY = 0.25

Way = tuple[Callable[[Path, list[list[float]]], None], Callable[[Path], np.ndarray]]


def write_jsonl(folder: Path, rows: list[list[float]]) -> None:
    """One line of text a row."""
    with (folder / "rows.jsonl").open("w", buffering=1) as file:
        for step, row in enumerate(rows):
            file.write(json.dumps({"step": step, **dict(zip("abcdefghi", row, strict=True))}) + "\n")


def read_jsonl(folder: Path) -> np.ndarray:
    """Read what `write_jsonl` wrote."""
    lines = (folder / "rows.jsonl").read_text().splitlines()
    return np.array([list(json.loads(line).values())[1:] for line in lines])


def sqlite_way(schema: str, insert: Callable[..., None], select: str, every: float) -> Way:
    """SQLite in WAL mode, with a commit at most `every` seconds."""

    def write(folder: Path, rows: list[list[float]]) -> None:
        connection = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(schema)
        connection.execute("BEGIN")
        committed = time.monotonic()
        for step, row in enumerate(rows):
            insert(connection, step, row)
            if time.monotonic() - committed >= every:
                connection.execute("COMMIT")
                connection.execute("BEGIN")
                committed = time.monotonic()
        connection.execute("COMMIT")
        connection.close()

    def read(folder: Path) -> np.ndarray:
        connection = sqlite3.connect(folder / "rows.sqlite")
        found = np.array(connection.execute(select).fetchall(), dtype=np.float64)
        connection.close()
        return found.reshape(-1, NUMBERS)

    return write, read


def wide(every: float) -> Way:
    """One row a step, one column a number."""
    columns = [f"c{i}" for i in range(NUMBERS)]
    insert = f"INSERT INTO rows VALUES ({', '.join('?' * (2 + NUMBERS))})"
    return sqlite_way(
        f"CREATE TABLE rows (step INTEGER, process INTEGER, {', '.join(f'{c} ANY' for c in columns)},"
        " PRIMARY KEY (step, process)) STRICT, WITHOUT ROWID",
        lambda connection, step, row: connection.execute(insert, (step, 1, *row)),
        f"SELECT {', '.join(columns)} FROM rows ORDER BY step, process",
        every,
    )


def long(every: float) -> Way:
    """One row a number."""
    return sqlite_way(
        "CREATE TABLE rows (step INTEGER, process INTEGER, series INTEGER, i INTEGER, value REAL,"
        " PRIMARY KEY (step, process, series, i)) STRICT, WITHOUT ROWID",
        lambda connection, step, row: connection.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?)", [(step, 1, i, 0, value) for i, value in enumerate(row)]
        ),
        "SELECT value FROM rows ORDER BY step, process, series, i",
        every,
    )


def write_record(folder: Path, rows: list[list[float]]) -> None:
    """The store of edgewise."""
    with RecordWriter.create(folder, "benchmark", {}) as writer:
        writer.declare(*map(Series, SCALARS), Series("sharpness", ("rank",)))
        for step, row in enumerate(rows):
            readings = dict(zip(SCALARS, row, strict=False))
            writer.append("gd", step, {**readings, "sharpness": row[-3:]})


def read_record(folder: Path) -> np.ndarray:
    """Read what `write_record` wrote."""
    dataset = Record.open(next(folder.iterdir())).dataset()
    return np.column_stack([*(dataset[name].values[0] for name in SCALARS), dataset.sharpness.values[0]])


WAYS: dict[str, Way] = {
    "JSONL, line-buffered": (write_jsonl, read_jsonl),
    "SQLite, a row a number, commit 0.25 s": long(COMMIT_EVERY),
    "SQLite, a row a number, commit a row": long(0.0),
    "SQLite, a row a step, commit 0.25 s": wide(COMMIT_EVERY),
    "SQLite, a row a step, commit a row": wide(0.0),
    "edgewise.records": (write_record, read_record),
}


def measure(quick: bool) -> list[Table]:
    """Every store on the same rows."""
    count, times = (2_000, 1) if quick else (20_000, 3)
    values = np.random.default_rng(0).standard_normal((count, NUMBERS)).tolist()
    rows = []
    for name, (write, read) in progress(WAYS.items(), "stores", len(WAYS)):
        writing, reading, size = [], [], 0
        for _ in range(times):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                write(Path(folder), values)
                written = time.perf_counter()
                found = read(Path(folder))
                reading.append(time.perf_counter() - written)
                writing.append(written - start)
                size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
                if not np.array_equal(found, values):
                    raise RuntimeError(f"{name} gave back other numbers than it was given")
        rows.append(
            [name, *(f"{min(taken) / count * 1e6:.1f}" for taken in (writing, reading)), f"{size / count:.0f}"]
        )
    return [
        Table(
            title="The run store",
            setting=f"{count:,} rows of {NUMBERS} numbers, written and read back as an array, best of {times}.",
            columns=["", "write, µs a row", "read, µs a row", "bytes a row"],
            rows=rows,
        )
    ]
