"""A run as it was recorded: opened from its folder, finished or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import xarray as xr

from edgewise.foundation import JSON
from edgewise.records.checkpoints import Checkpoint, checkpoint_steps, newest_checkpoint, read_checkpoint
from edgewise.records.folder import SERIES, writer_of
from edgewise.records.manifest import read_manifest
from edgewise.records.series import Event
from edgewise.records.series_reader import read_dataset, read_events


@final
@dataclass(frozen=True, slots=True)
class Record:
    """One run's folder, for reading; what it says is read anew at every call.

    Attributes:
        path: the folder.
        manifest: what `run.json` says.
    """

    path: Path
    manifest: Mapping[str, JSON] = field(repr=False, hash=False)

    @classmethod
    def open(cls, path: str | Path) -> "Record":
        """Open the run in `path`.

        Raises:
            RecordError: if there is no such folder, it is not a run, its manifest is damaged, or it
                was written by a newer edgewise.
        """
        return cls(Path(path), read_manifest(Path(path)))

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def writer(self) -> int | None:
        """The id of the process that is writing the run at this moment; None if nobody is."""
        return writer_of(self.path)

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, in the order of steps."""
        return read_events(self.path / SERIES)

    def dataset(self) -> xr.Dataset:
        """The readings so far, as labelled arrays (process, step, and what a series declares).

        Raises:
            RecordError: if the file of readings is missing or damaged.
        """
        return read_dataset(self.path / SERIES)

    def checkpoints(self) -> tuple[int, ...]:
        """The steps that have a checkpoint, ascending."""
        return checkpoint_steps(self.path)

    def checkpoint(self, step: int | None = None) -> Checkpoint:
        """The checkpoint of `step`; by default the newest one that is sound.

        A damaged newer one is passed over, and says so in `Checkpoint.rejected`.

        Raises:
            RecordError: if there is none, or the one asked for is damaged.
        """
        return newest_checkpoint(self.path) if step is None else read_checkpoint(self.path, step)
