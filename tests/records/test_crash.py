"""A process that writes a run is killed at random moments; what it leaves is read, and gone on with."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from edgewise.records import Record, RecordWriter, list_records

SCRIBE = Path(__file__).with_name("scribe.py")
sys.path.insert(0, str(SCRIBE.parent))
from scribe import CHECKPOINT, NOTE, ROW  # noqa: E402

Start = Callable[[Path, Path, int, float], int]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    with subprocess.Popen(
        [sys.executable, str(SCRIBE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as scribe:
        assert scribe.stdin is not None
        assert scribe.stdout is not None
        stdin, stdout = scribe.stdin, scribe.stdout

        def begin(root: Path, progress: Path, seed: int, pace: float) -> int:
            stdin.write(f"{root}\t{progress}\t{seed}\t{pace}\n")
            stdin.flush()
            return int(stdout.readline())

        yield begin
        stdin.close()


def kill(pid: int) -> float:
    """Kill a process, wait until it is gone, and say when."""
    os.kill(pid, signal.SIGKILL)
    moment = time.monotonic()
    while Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _alive(pid):
        time.sleep(0.001)
    return moment


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def notes_in(progress: Path) -> list[tuple[int, float, int]]:
    data = progress.read_bytes() if progress.exists() else b""
    return list(NOTE.iter_unpack(data[: len(data) // NOTE.size * NOTE.size]))


def check_rows(record: Record) -> int:
    """The rows are an unbroken beginning of the run, exact to the bit; says how many."""
    dataset = record.dataset()
    count = len(dataset.step)
    steps = np.arange(count)
    np.testing.assert_array_equal(dataset.step, steps)
    if count:
        np.testing.assert_array_equal(dataset.loss[0], 1.0 / (steps + 1))
        wide = steps % 3 >= np.arange(dataset.sizes["rank"])[:, None]
        np.testing.assert_array_equal(dataset.sharpness[0].T, np.where(wide, steps + 0.5, np.nan))
    return count


def test_a_process_killed_at_random_moments_leaves_a_run_to_go_on_with(tmp_path: Path, start: Start) -> None:
    chance = random.Random(0)
    lives = [(life, chance.choice([0.0, 0.001, 0.004]), chance.uniform(0.0, 2.0)) for life in range(12)]
    lives[0], lives[4] = (0, 0.0, 0.004), (4, 0.0, 0.02)  # while it is being created
    assert sum(seconds > 1.1 for *_, seconds in lives) >= 3  # kills late enough for the promise to mean something
    for life, pace, seconds in lives:
        # Four lives a run: started, and three times resumed.
        root, progress = tmp_path / f"store{life // 4}", tmp_path / f"progress{life}"
        pid = start(root, progress, life, pace)
        while seconds > 1.0 and not notes_in(progress):
            time.sleep(0.01)  # a busy machine may take long to start; this kill is about what was written
        time.sleep(seconds)
        killed = kill(pid)
        notes = notes_in(progress)
        if not root.exists():
            assert not notes
            continue
        listing = list_records(root)
        assert listing.broken == ()
        if not listing.records:
            assert not notes
            continue
        (record,) = listing.records
        assert record.writer is None

        rows = check_rows(record)
        safe = [step for step, moment, kind in notes if kind == ROW and moment < killed - 1.0]
        assert rows > max(safe, default=-1)
        handed_over = [step for step, _, kind in notes if kind == CHECKPOINT]
        if record.checkpoints():
            newest = record.checkpoint()
            assert newest.rejected == ()
            assert newest.step >= max(handed_over, default=0)
            assert newest.state == str(newest.step)
            assert torch.equal(newest.tensors["w"], torch.full((5000,), float(newest.step)))
            assert rows >= newest.step  # a checkpoint vouches for the rows before it
        else:
            assert not handed_over
        assert safe or seconds < 1.1

    for store in tmp_path.glob("store*"):
        for record in list_records(store).records:
            rows = len(record.dataset().step)
            with RecordWriter.reopen(record.path, rows) as writer:
                writer.append("gd", rows, {"loss": 1.0 / (rows + 1), "sharpness": [rows + 0.5] * (1 + rows % 3)})
            assert check_rows(record) == rows + 1


def test_a_run_is_read_while_another_process_writes_it(tmp_path: Path, start: Start) -> None:
    root = tmp_path / "store"
    pid = start(root, tmp_path / "progress", 0, 0.0005)
    try:
        deadline = time.monotonic() + 60
        while not (root.exists() and list_records(root).records):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (record,) = list_records(root).records
        assert record.writer == pid
        counts, steps = [], []
        while len(set(counts)) < 4 or len(set(steps)) < 2:
            assert time.monotonic() < deadline
            counts.append(check_rows(record))
            if record.checkpoints():
                newest = record.checkpoint()
                assert newest.rejected == ()
                steps.append(newest.step)
        assert counts == sorted(counts)
        assert record.writer == pid
    finally:
        kill(pid)
