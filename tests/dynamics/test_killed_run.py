"""A run whose process is killed at random moments, resumed to the end, is the run that nobody touched."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import edgewise as ew
from reference.runs import assert_beginning, assert_same_run

ZYGOTE = Path(__file__).with_name("zygote.py")
sys.path.insert(0, str(ZYGOTE.parent))
from zygote import SETTING, STEPS, objective  # noqa: E402

Start = Callable[[Path], int]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    with subprocess.Popen(
        [sys.executable, str(ZYGOTE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        stdin, stdout = zygote.stdin, zygote.stdout

        def begin(store: Path) -> int:
            stdin.write(f"{store}\n")
            stdin.flush()
            return int(stdout.readline())

        yield begin
        stdin.close()


@pytest.fixture(scope="module")
def untouched() -> ew.Run:
    return ew.evolve(problem=objective(), **SETTING)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(pid: int, patience: float) -> float:
    """Wait until a process has ended, but not for longer; returns how long it took."""
    since = time.monotonic()
    while alive(pid) and time.monotonic() - since < patience:
        time.sleep(0.0005)
    return time.monotonic() - since


def test_runs_killed_at_random_moments(tmp_path: Path, start: Start, untouched: ew.Run) -> None:
    kill_and_resume(tmp_path, start, untouched, kills=8)


@pytest.mark.slow
def test_runs_killed_at_fifty_random_moments(tmp_path: Path, start: Start, untouched: ew.Run) -> None:
    kill_and_resume(tmp_path, start, untouched, kills=50)


def kill_and_resume(folder: Path, start: Start, untouched: ew.Run, kills: int) -> None:
    """Kill runs until there were that many kills, each run up to three times; then resume them."""
    chance = random.Random(0)
    (folder / "whole").mkdir()
    duration = wait_for(start(folder / "whole"), 120)  # of a run that nobody kills, start included
    stores, heights, killed = [folder / "whole"], [], 0
    while killed < kills:
        store = folder / f"store{len(stores)}"
        store.mkdir()
        stores.append(store)
        for _ in range(3):
            pid = start(store)
            wait_for(pid, chance.uniform(0.0, duration))
            if killed == kills or not alive(pid):
                break
            os.kill(pid, signal.SIGKILL)
            wait_for(pid, 10)
            killed += 1
            for path in visible(store):
                run = ew.open_run(path)
                assert run.record.writer is None
                rows = run.dataset.sizes["step"]
                heights.append(rows)
                if rows:
                    assert_beginning(run, untouched)
        wait_for(pid, 120)

    assert sum(0 < rows < STEPS for rows in heights) >= kills // 8  # moments late and early enough to tell
    for store in stores:
        for path in visible(store):
            run = ew.open_run(path)
            assert_same_run(run.resume(STEPS, objective=objective()), untouched)


def visible(store: Path) -> list[Path]:
    """The runs in a store: at most one here."""
    return [path for path in store.iterdir() if not path.name.startswith(".")]
