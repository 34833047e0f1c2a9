import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from conftest import LOSS, TOP
from edgewise.foundation import RecordError
from edgewise.records import Record, RecordWriter, Series
from edgewise.records.series_reader import ask


def test_the_dataset_has_the_shape_that_others_rely_on(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS, Series("time", units="1"), TOP, Series("projection", ("direction",)))
        for step in (0, 1, 10):
            writer.append("gd", step, {"loss": 1.0 + step, "time": 0.1 * step, "sharpness": [2.0, 1.0]})
        for step in (1, 2):
            writer.append("flow", step, {"loss": -1.0 - step, "sharpness": [3.0, 2.0, 1.0]})
    dataset = Record.open(writer.path).dataset()
    assert set(dataset.data_vars) == {"loss", "sharpness", "projection"}
    assert dataset.process.values.tolist() == ["gd", "flow"]
    assert dataset.step.values.tolist() == [0, 1, 2, 10]
    assert dataset.step.dtype == np.int64
    assert dataset["rank"].values.tolist() == [1, 2, 3]
    assert dataset.time.dims == dataset.loss.dims == ("process", "step")
    assert "time" in dataset.coords
    assert dataset.sharpness.dims == ("process", "step", "rank")
    assert dataset.projection.shape == (2, 4, 0)
    assert all(variable.dtype == np.float64 for variable in dataset.data_vars.values())
    assert dataset.loss.attrs == {"units": "nats", "long_name": "training loss"}
    nan = np.nan
    np.testing.assert_array_equal(dataset.loss, [[1, 2, nan, 11], [nan, -2, -3, nan]])
    np.testing.assert_array_equal(dataset.time[0], [0, 0.1, nan, 1])
    np.testing.assert_array_equal(dataset.sharpness[:, 1], [[2, 1, nan], [3, 2, 1]])


def test_a_run_without_readings_is_an_empty_dataset(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        assert Record.open(writer.path).dataset().sizes == {"process": 0, "step": 0}
        writer.declare(LOSS, TOP)
        assert Record.open(writer.path).dataset().sharpness.shape == (0, 0, 0)


def test_more_rows_than_are_fetched_at_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewise.records.series_reader._ROWS", 7)
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        for step in range(22):
            writer.append("gd", step, {"loss": float(step)})
    np.testing.assert_array_equal(Record.open(writer.path).dataset().loss[0], np.arange(22))


def test_reading_a_finished_run_leaves_no_file_behind(run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    record = Record.open(run)
    _ = record.dataset(), record.events, record.checkpoint(), record.writer
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_finished_run_on_a_read_only_disk(run: Path, read_only) -> None:
    with read_only(run):
        record = Record.open(run)
        assert len(record.dataset().step) == 10
        assert len(record.events) == 1
        assert record.checkpoint().step == 8
        assert record.writer is None


def test_a_killed_run_on_a_read_only_disk_keeps_the_rows_in_its_log(root: Path, tmp_path: Path, read_only) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        for step in range(10):
            writer.append("gd", step, {"loss": 1.0})
        writer.flush()
        # What a copy of a killed run holds: the log, but not its index.
        copy = tmp_path / "copy"
        shutil.copytree(writer.path, copy, ignore=shutil.ignore_patterns("*-shm"))
    with read_only(copy):
        assert len(Record.open(copy).dataset().step) == 10
        assert sorted(path.suffix for path in copy.glob("series*")) == [".sqlite", ".sqlite-wal"]
    assert len(Record.open(copy).dataset().step) == 10


def test_a_missing_series_file(run: Path) -> None:
    (run / "series.sqlite").unlink()
    with pytest.raises(RecordError, match="it does not exist, though the run's manifest does"):
        Record.open(run).dataset()
    with pytest.raises(RecordError, match=r"opening .*series\.sqlite: it does not exist, or opening it"):
        RecordWriter.reopen(run, 5)
    assert not (run / "series.sqlite").exists()


@pytest.mark.parametrize("damage", ["other", "empty", "cut", "overwritten"])
def test_a_damaged_series_file(run: Path, damage: str) -> None:
    path = run / "series.sqlite"
    whole = path.read_bytes()
    path.write_bytes(
        {
            "other": b"this is a text, not a database, and quite long enough to tell" * 100,
            "empty": b"",
            "cut": whole[:5000],
            "overwritten": whole[:4096] + b"\xff" * (len(whole) - 4096),
        }[damage]
    )
    with pytest.raises(RecordError, match="its contents are damaged") as caught:
        Record.open(run).dataset()
    assert str(path) in str(caught.value)
    with pytest.raises(RecordError, match="its contents are damaged"):
        RecordWriter.reopen(run, 5)


def test_a_file_that_another_program_keeps_locked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.1}))
    other = connect(run / "series.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="another program keeps it locked"):
            RecordWriter.reopen(run, 5)
    finally:
        other.close()
    RecordWriter.reopen(run, 5).close()


def test_a_writer_that_comes_while_a_finished_run_is_read_is_noticed(run: Path) -> None:
    asked = 0

    def question(connection: sqlite3.Connection) -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            RecordWriter.reopen(run, 5).close()
        return connection.execute("SELECT count(*) FROM readings").fetchone()[0]

    assert ask(run / "series.sqlite", question) == 5
    assert asked == 2
