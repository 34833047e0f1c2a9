"""The writer of one run: a folder that is readable at every moment, whatever happens to the process."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import SupportsIndex, final

from torch import Tensor

from edgewise.foundation import JSON, RecordError, SettingError
from edgewise.records.checkpoints import drop_later_checkpoints, drop_old_checkpoints, write_checkpoint
from edgewise.records.folder import CHECKPOINTS, SERIES, sync_folder, take_lock
from edgewise.records.manifest import read_manifest, write_manifest
from edgewise.records.series import Event, Reading, Series
from edgewise.records.series_writer import SeriesWriter, create_series_file
from edgewise.records.trouble import explaining


@final
class RecordWriter:
    """The one process that writes a run; made by `create` or `reopen`, used as a context manager.

    A process killed at any moment loses at most the readings of its last half second; a checkpoint
    vouches for every reading before its step, even after a power cut.

    Example:
        >>> import tempfile
        >>> with RecordWriter.create(tempfile.mkdtemp(), "digits", {"seed": 0}) as writer:
        ...     writer.declare(Series("loss"))
        ...     writer.append("gd", 0, {"loss": 2.3})
    """

    def __init__(self, path: Path, lock: int, from_step: int, keep: int) -> None:
        self._path, self._lock, self._keep = path, lock, keep
        try:
            drop_later_checkpoints(path, from_step)
            self._series = SeriesWriter(path / SERIES, from_step)
        except BaseException:
            os.close(lock)
            raise
        self._open = True

    @classmethod
    def create(cls, root: str | Path, slug: str, manifest: Mapping[str, JSON], *, keep: int = 2) -> "RecordWriter":
        """Start a run in a fresh folder below `root`, called `<UTC time>-<slug>-<4 hexadecimal digits>`.

        The folder is made under a hidden name and renamed when it is complete: nobody ever sees half a run.

        Args:
            root: the store; made if it is missing.
            slug: a few words for the reader; what a file name should not hold becomes a hyphen.
            manifest: what `run.json` shall say beside its version and the time of creation.
            keep: how many checkpoints to keep beside the pinned ones.

        Raises:
            RecordError: if the folder cannot be written, or the manifest is not JSON.
        """
        _check_keep(keep)
        root = Path(root)
        words = re.sub(r"[^A-Za-z0-9_.=+]+", "-", slug).strip("-.") or "run"
        with explaining(root, "starting a run in"):
            root.mkdir(parents=True, exist_ok=True)
            while True:
                created = datetime.now(UTC)
                path = root / f"{created:%Y%m%dT%H%M%SZ}-{words}-{secrets.token_hex(2)}"
                if (lock := _make(path, manifest, created)) is not None:
                    return cls(path, lock, 0, keep)

    @classmethod
    def reopen(cls, path: str | Path, from_step: int, *, keep: int = 2) -> "RecordWriter":
        """Go on writing the run in `path` from `from_step`, whose row is the first to be written again.

        Readings and events at that step and later are deleted, and checkpoints after it.

        Raises:
            RecordError: if `path` is not a run, is newer than this edgewise, is being written, or
                cannot be written.
        """
        _check_keep(keep)
        path = Path(path)
        read_manifest(path)
        return cls(path, take_lock(path), from_step, keep)

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self._path

    def declare(self, *series: Series) -> None:
        """Announce what will be read; declaring a series again, unchanged, does nothing.

        Raises:
            RecordError: if the run has another series of the same name, or the disk refuses.
        """
        self._check_open()
        for one in series:
            self._series.declare(one)

    def append(self, process: str, step: SupportsIndex, readings: Mapping[str, Reading]) -> None:
        """Add readings to the row of `process` at `step`: numbers, or vectors along a series' dimension.

        They are kept as float64, bit for bit (a NaN as a NaN). A vector may be longer or shorter than
        the last one; reading a series again at the same step replaces it.

        Raises:
            RecordError: if a series was not declared or a reading does not have its shape, or the disk
                refuses.
        """
        self._check_open()
        self._series.append(process, step, readings)

    def event(self, step: int, process: str | None, kind: str, text: str) -> None:
        """Note that something happened, and commit at once.

        Args:
            step: the step it happened at.
            process: the process it happened to; None for the run as a whole.
            kind: one word to search for.
            text: a sentence.
        """
        self._check_open()
        self._series.event(Event(step, process, kind, text))

    def checkpoint(self, step: int, tensors: Mapping[str, Tensor], state_json: str, pin: bool = False) -> None:
        """Keep the state before `step`, after everything read so far is safely on the disk.

        Args:
            step: the step that comes next.
            tensors: named tensors of any device, strides and sharing.
            state_json: one text to go with them.
            pin: keep it for good; others make way for newer ones.

        Raises:
            RecordError: if the disk refuses; earlier checkpoints are untouched then.
        """
        self._check_open()
        self._series.flush(durable=True)
        write_checkpoint(self._path, step, tensors, state_json, pin)
        drop_old_checkpoints(self._path, self._keep)

    def flush(self) -> None:
        """Commit what is pending now."""
        self._check_open()
        self._series.flush()

    def close(self) -> None:
        """Commit what is pending and let others write the run; closing twice does nothing."""
        if self._open:
            self._open = False
            try:
                self._series.close()
            finally:
                os.close(self._lock)

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if not self._open:
            raise RecordError(
                f"writing {self._path}",
                "this writer is closed",
                "Open the run again with RecordWriter.reopen(path, from_step)",
            )


def _check_keep(keep: int) -> None:
    if keep < 1:
        raise SettingError(f"keep={keep}", "a run is resumed from a checkpoint", "Type keep=2")


def _make(path: Path, manifest: Mapping[str, JSON], created: datetime) -> int | None:
    """Make the folder of a run and hold its lock; None if another process was first with this name."""
    unfinished = path.with_name(f".{path.name}")
    try:
        unfinished.mkdir()
    except FileExistsError:
        return None
    lock = -1
    try:
        lock = take_lock(unfinished)
        (unfinished / CHECKPOINTS).mkdir()
        create_series_file(unfinished / SERIES)
        write_manifest(unfinished, manifest, created)
        unfinished.rename(path)
    except BaseException as error:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(unfinished, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return None
        raise
    sync_folder(path.parent)
    return lock
