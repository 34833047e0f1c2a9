import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgewise.foundation import RecordError
from edgewise.records import Record, RecordWriter
from edgewise.records.folder import put, writer_of

HOLD = """
import sys, time
from edgewise.records import RecordWriter
with RecordWriter.reopen(sys.argv[1], 5):
    print("holding", flush=True)
    time.sleep(600)
"""


def test_put_gives_the_name_only_to_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    put(path, lambda unfinished: unfinished.write_text("first") and None)

    def half(unfinished: Path) -> None:
        unfinished.write_text("sec")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put(path, half)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_writer_is_refused_until_the_first_is_gone(run: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "holding\n"
        assert Record.open(run).writer == other.pid
        with pytest.raises(RecordError, match=f"process {other.pid} is writing this run"):
            RecordWriter.reopen(run, 5)
        assert len(Record.open(run).dataset().step) == 5
        os.kill(other.pid, signal.SIGKILL)
    assert Record.open(run).writer is None
    with RecordWriter.reopen(run, 5):
        assert Record.open(run).writer == os.getpid()


def test_a_second_writer_in_the_same_process_is_refused(run: Path) -> None:
    with (
        RecordWriter.reopen(run, 5),
        pytest.raises(RecordError, match=f"process {os.getpid()} is writing this run") as caught,
    ):
        RecordWriter.reopen(run, 5)
    assert "edgewise show" in caught.value.fix


def test_readers_asking_who_writes_do_not_keep_a_writer_out(run: Path) -> None:
    gone = threading.Event()

    def ask() -> None:
        while not gone.is_set():
            writer_of(run)

    # Each question opens the lock anew, so a thread stands in the way as another process would.
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(20):
            RecordWriter.reopen(run, 5).close()
    finally:
        gone.set()
        asking.join()


def test_a_run_without_a_lock_file_has_no_writer(run: Path) -> None:
    (run / "writer.lock").unlink()
    assert Record.open(run).writer is None
