"""What a recipe is made of: something that can be performed, and leaves a record.

An experiment says what it is as JSON. That is its identity: two recipes that ask for the same thing share one
record, and a record is found again by it.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from pathlib import Path

import xarray as xr

from edgewise.dynamics import Progress
from edgewise.foundation import JSON


class Experiment(ABC):
    """One thing to perform."""

    __slots__ = ()

    @abstractmethod
    def identity(self, seed: int) -> JSON:
        """Everything that determines the record."""

    @abstractmethod
    def finished(self, folder: Path) -> bool:
        """Whether the record in `folder` is whole."""

    @abstractmethod
    def perform(self, folder: Path, seed: int, progress: Progress) -> None:
        """Make the record in `folder`, or go on with the one that is there."""

    @abstractmethod
    def dataset(self, folder: Path) -> xr.Dataset:
        """The record in `folder`.

        Raises:
            RecordError: if it is missing or damaged.
        """

    @abstractmethod
    def seconds(self, folder: Path) -> float:
        """What it took to make."""

    def folder(self, store: Path, seed: int) -> Path:
        """Where in the store its record lies: the same for the same experiment."""
        text = json.dumps(self.identity(seed), sort_keys=True, ensure_ascii=False)
        return store / "records" / hashlib.sha256(text.encode()).hexdigest()[:16]
