import math
import secrets
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import LOSS, TOP
from edgewise.foundation import RecordError
from edgewise.records import Event, Record, RecordWriter, Series, list_records

# Forty endings instead of sixty-five thousand, so that names do collide.
TOGETHER = """
import os, random, secrets, sys
from edgewise.records import RecordWriter
secrets.token_hex = lambda _: f"{random.randrange(40):04x}"
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        random.seed(os.getpid())
        for _ in range(10):
            RecordWriter.create(sys.argv[1], "x", {}).close()
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""

numbers = st.floats(width=64)
rows = st.tuples(
    st.sampled_from(["gd", "flow", "zentral ∂"]),
    st.integers(0, 12),
    st.fixed_dictionaries(
        {}, optional={"x": numbers, "y": numbers, "v": st.lists(numbers, max_size=4), "u": st.lists(numbers)}
    ),
)
operations = st.one_of(
    rows, st.integers(0, 12).map(lambda s: ("reopen", s)), st.just(("flush",)), st.just(("read",))
)


@settings(max_examples=40, deadline=None)
@given(st.lists(operations, max_size=25))
@example([("gd", 3, {"x": -0.0, "v": [-0.0, math.inf, -math.inf, math.nan, 5e-324]})])
@example([("gd", 0, {"v": [1.0, 2.0]}), ("gd", 0, {"v": [3.0]})])
def test_what_is_read_back_is_what_was_written(tmp_path_factory, todo: list[tuple]) -> None:
    expected: dict[tuple[str, str, int], list[float]] = {}
    seen: set[tuple[str, int]] = set()
    writer = RecordWriter.create(tmp_path_factory.mktemp("store"), "law", {})
    try:
        writer.declare(Series("x"), Series("y"), Series("v", ("rank",)), Series("u", ("direction",)))
        for operation in todo:
            match operation:
                case ("flush",):
                    writer.flush()
                case ("read",):
                    Record.open(writer.path).dataset()
                case ("reopen", step):
                    writer.close()
                    writer = RecordWriter.reopen(writer.path, step)
                    expected = {key: value for key, value in expected.items() if key[2] < step}
                    seen = {key for key in seen if key[1] < step}
                case (process, step, readings):
                    writer.append(process, step, readings)
                    seen.add((process, step))
                    for name, value in readings.items():
                        expected[name, process, step] = value if isinstance(value, list) else [value]
    finally:
        writer.close()

    dataset = Record.open(writer.path).dataset()
    assert set(dataset.step.values) == {step for _, step in seen}
    assert {process for process, _ in seen} <= set(dataset.process.values)
    for name, variable in dataset.data_vars.items():
        for process in dataset.process.values:
            for step in dataset.step.values:
                got = variable.sel(process=process, step=step).values.reshape(-1)
                want = np.full(got.shape, np.nan)
                value = expected.get((name, process, step), [])
                want[: len(value)] = value
                assert np.array_equal(np.isnan(got), np.isnan(want))
                known = ~np.isnan(want)
                assert got[known].tobytes() == want[known].tobytes()


def test_readings_of_every_kind_of_number(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS, TOP)
        kinds = [1, True, np.float32(0.1), np.int64(3), torch.tensor(0.1), np.array(2.0), 0.1]
        for step, reading in enumerate(kinds):
            writer.append("gd", np.int64(step), {"loss": reading})
        vectors = [(1, 2), np.arange(3, dtype=np.int32), torch.tensor([0.1]), range(2), []]
        for step, reading in enumerate(vectors):
            writer.append("gd", step, {"sharpness": reading})
    dataset = Record.open(writer.path).dataset()
    assert dataset.loss.values[0].tolist() == [float(kind) for kind in kinds]
    assert dataset.sharpness.sel(step=2, rank=1).item() == np.float64(np.float32(0.1))
    assert dataset.sharpness.sel(step=1).values.tolist() == [[0.0, 1.0, 2.0]]
    assert dataset.sharpness.sel(step=4).isnull().all()


def test_the_name_of_a_run_sorts_by_time_and_reads_well(root: Path) -> None:
    before = datetime.now(UTC)
    with RecordWriter.create(root, "cifar10 MLP/η=0.01", {}) as writer:
        stamp, _, rest = writer.path.name.partition("-")
    assert 0 <= (datetime.strptime(stamp + "+0000", "%Y%m%dT%H%M%SZ%z") - before).total_seconds() + 1 < 5
    assert rest[:-5] == "cifar10-MLP-=0.01"
    with RecordWriter.create(root, "../..", {}) as writer:
        assert writer.path.parent == root
        assert "-run-" in writer.path.name


def test_a_name_that_is_taken_is_not_taken_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["aaaa", "aaaa", "bbbb"] * 3)
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(names))
    first = RecordWriter.create(root, "x", {"n": 1})
    second = RecordWriter.create(root, "x", {"n": 2})
    first.close()
    second.close()
    assert first.path != second.path
    assert [r.manifest["n"] for r in list_records(root).records] == [1, 2]
    assert {p.name for p in root.iterdir()} == {first.path.name, second.path.name}


def test_processes_that_start_at_once_get_folders_of_their_own(root: Path) -> None:
    subprocess.run([sys.executable, "-c", TOGETHER, str(root)], check=True)
    assert len(list_records(root).records) == 30
    assert len(list(root.iterdir())) == 30


def test_rows_are_committed_soon_even_if_no_other_follows(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        for step in range(100):
            writer.append("gd", step, {"loss": 1.0})
        deadline = time.monotonic() + 30
        while len(Record.open(writer.path).dataset().step) < 100:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_rows_share_commits(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        log = writer.path / "series.sqlite-wal"
        before = log.stat().st_size
        for step in range(1000):
            writer.append("gd", step, {"loss": 1.0})
        writer.flush()
        # A commit writes a page of 4 KiB at least: a thousand of them would be 4 MB.
        assert log.stat().st_size - before < 500_000


def test_flush_shows_everything_at_once(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        for step in range(50):
            writer.append("gd", step, {"loss": 1.0})
        writer.flush()
        assert len(Record.open(writer.path).dataset().step) == 50
        writer.append("gd", 50, {"loss": 1.0})
        writer.checkpoint(51, {}, "")
        assert len(Record.open(writer.path).dataset().step) == 51


def test_closing_leaves_three_files_and_no_thread(run: Path) -> None:
    assert sorted(p.name for p in run.iterdir()) == ["checkpoints", "run.json", "series.sqlite", "writer.lock"]
    assert [thread.name for thread in threading.enumerate() if thread.name == "record"] == []


def test_an_error_in_the_body_closes_the_run_with_what_it_has(root: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        writer.append("gd", 0, {"loss": 1.0})
        raise KeyboardInterrupt
    record = Record.open(writer.path)
    assert record.writer is None
    assert record.dataset().loss.item() == 1.0


def test_a_closed_writer_says_so_and_closes_twice(run: Path) -> None:
    writer = RecordWriter.reopen(run, 5)
    writer.close()
    writer.close()
    for attempt in (
        lambda: writer.append("gd", 5, {}),
        lambda: writer.declare(LOSS),
        lambda: writer.event(5, None, "x", ""),
        lambda: writer.checkpoint(5, {}, ""),
        writer.flush,
    ):
        with pytest.raises(RecordError, match="this writer is closed"):
            attempt()


def test_reopening_takes_back_what_lies_ahead(run: Path) -> None:
    with RecordWriter.reopen(run, 6) as writer:
        record = Record.open(run)
        assert record.dataset().step.values.tolist() == [0, 1, 2, 3, 4, 5]
        assert record.events == ()
        assert record.checkpoints() == (4,)
        writer.declare(LOSS, TOP)
        writer.append("gd", 6, {"loss": -1.0, "sharpness": [1.0, 2.0, 3.0]})
        writer.event(6, None, "resumed", "from step 6")
    dataset = Record.open(run).dataset()
    assert dataset.loss.values[0, 5:].tolist() == [1 / 6, -1.0]
    assert dataset.sharpness.sizes == {"process": 1, "step": 7, "rank": 3}
    assert Record.open(run).events == (Event(6, None, "resumed", "from step 6"),)


def test_events_come_in_the_order_of_steps(root: Path) -> None:
    events = [Event(5, "gd", "edge", "reached"), Event(2, None, "note", "ünïcode"), Event(5, "gd", "a", "")]
    with RecordWriter.create(root, "x", {}) as writer:
        for event in events:
            writer.event(event.step, event.process, event.kind, event.text)
        assert Record.open(writer.path).events == (events[1], events[0], events[2])


def test_the_file_reads_well_without_edgewise(run: Path) -> None:
    connection = sqlite3.connect(run / "series.sqlite")
    try:
        query = 'SELECT step, name, loss, "sharpness[2]" FROM readings JOIN processes ON process = id'
        assert connection.execute(query).fetchall()[1] == (1, "gd", 0.5, 1.25)
    finally:
        connection.close()


def test_an_undeclared_series(run: Path) -> None:
    with RecordWriter.reopen(run, 10) as writer:
        with pytest.raises(RecordError, match="a reading of 'los': no such series was declared") as caught:
            writer.append("gd", 10, {"loss": 1.0, "los": 1.0})
        assert "declared are loss, sharpness" in caught.value.fix
        writer.append("gd", 10, {"loss": 1.0})


@pytest.mark.parametrize(
    ("reading", "fix"),
    [
        ({"loss": [1.0]}, "Give one number"),
        ({"loss": []}, "Give one number"),
        ({"sharpness": 1.0}, "Give a sequence of numbers"),
        ({"sharpness": np.ones((1, 1))}, "Give a sequence of numbers"),
    ],
)
def test_a_reading_of_the_wrong_length(run: Path, reading: dict, fix: str) -> None:
    with RecordWriter.reopen(run, 10) as writer, pytest.raises(RecordError, match="with shape") as caught:
        writer.append("gd", 10, reading)
    assert fix in caught.value.fix
    assert len(Record.open(run).dataset().step) == 10


@pytest.mark.parametrize("reading", [torch.ones((), requires_grad=True), torch.ones((), device="meta")])
def test_a_reading_that_is_not_made_of_numbers(run: Path, reading: object) -> None:
    with RecordWriter.reopen(run, 10) as writer, pytest.raises(RecordError, match="not made of numbers"):
        writer.append("gd", 10, {"loss": reading})


def test_a_row_has_room_for_a_thousand_numbers(run: Path) -> None:
    with RecordWriter.reopen(run, 10) as writer:
        writer.append("gd", 10, {"sharpness": np.arange(999.0)})
        with pytest.raises(RecordError, match="at most 1000 numbers a step") as caught:
            writer.append("gd", 11, {"sharpness": np.arange(1000.0)})
        assert "checkpoint" in caught.value.fix
        writer.append("gd", 11, {"loss": 0.0})
    dataset = Record.open(run).dataset()
    assert dataset.sharpness.sel(step=10).values.tolist() == [list(range(999))]
    assert dataset.loss.sel(step=11).item() == 0.0


def test_a_series_cannot_change_its_meaning(run: Path) -> None:
    with RecordWriter.reopen(run, 10) as writer:
        writer.declare(LOSS)
        for other in (Series("loss", ("rank",)), Series("Loss"), Series("loss", units="bits")):
            with pytest.raises(RecordError, match="the run already has Series"):
                writer.declare(other)
        for other in (Series("rank"), Series("spectrum", ("loss",))):
            with pytest.raises(RecordError, match="both a series and a dimension"):
                writer.declare(other)
    assert set(Record.open(run).dataset().data_vars) == {"loss", "sharpness"}
