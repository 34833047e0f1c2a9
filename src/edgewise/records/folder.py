"""One run is one folder: the names in it, files that appear whole or not at all, and one writer at a time.

20260131T120000Z-cifar10-mlp-3f9a/
    run.json                              the manifest, written once
    series.sqlite                         readings and events (with -wal and -shm while it is written)
    checkpoints/step-00000500.safetensors
    writer.lock                           held by the process that writes
"""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from edgewise.foundation import RecordError
from edgewise.records.trouble import explaining

MANIFEST = "run.json"
SERIES = "series.sqlite"
CHECKPOINTS = "checkpoints"
LOCK = "writer.lock"

# A reader that asks who is writing holds the lock for microseconds; a writer outlasts that.
_LOCK_PATIENCE = 0.5


def sync_folder(folder: Path) -> None:
    """Make the names inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file, and give it the name `path` only when it is whole and on the disk."""
    unfinished = path.with_name(f".{path.name}")
    try:
        write(unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def take_lock(folder: Path) -> int:
    """Become the one writer of `folder`; returns the descriptor that holds the lock until it is closed.

    The kernel lets go of the lock when the process ends, however it ends.

    Raises:
        RecordError: if another process (or another writer of this one) writes the folder.
    """
    path = folder / LOCK
    with explaining(path, "locking"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _locked(descriptor, fcntl.LOCK_EX, _LOCK_PATIENCE):
                raise RecordError(
                    f"writing {folder}",
                    f"process {_holder(descriptor)} is writing this run",
                    "Wait until it has ended, or stop it; edgewise show can read the run meanwhile",
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def writer_of(folder: Path) -> int | None:
    """The id of the process that is writing `folder` now; None if there is none."""
    path = folder / LOCK
    if not path.exists():
        return None
    with explaining(path, "reading"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return None if _locked(descriptor, fcntl.LOCK_SH, 0.0) else _holder(descriptor)
        finally:
            os.close(descriptor)


def _locked(descriptor: int, kind: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)


def _holder(descriptor: int) -> int:
    # Empty for the instant between taking the lock and signing it.
    return int(os.pread(descriptor, 20, 0) or b"0")
