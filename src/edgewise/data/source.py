"""What a data source is: a frozen value that loads, and says where what it loaded came from.

A source is a recipe: it holds a name and a few numbers, and can be written down. What it loads is a value
with tensors, which remembers in words and by checksum what was read. Nothing is replaced by a stand-in: if
the files are not there, loading fails with the line to type.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedData:
    """A data set in memory, with its provenance.

    Attributes:
        name: a short name, `cifar10`.
        inputs: one sample per entry of the first axis: images as (samples, channels, height, width), tokens
            as int64.
        targets: class indices or next tokens (int64), or real values to fit.
        classes: how many classes or tokens there are; None for real values.
        class_names: what the indices mean, in order; empty where they have no names.
        source: where the data came from, in words.
        checksum: SHA-256 of what was read (files as they lie on the disk, arrays as bytes), in hexadecimal.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    classes: int | None
    class_names: tuple[str, ...] = ()
    source: str
    checksum: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.inputs.shape[1:])

    @property
    def outputs(self) -> int:
        """How many outputs per sample (per token) a model needs: classes, or entries of a target."""
        return self.classes if self.classes is not None else self.targets[0].numel()

    def __len__(self) -> int:
        return self.inputs.shape[0]


class Data(ABC):
    """A source of samples."""

    __slots__ = ()

    @abstractmethod
    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """Read or make the samples.

        Args:
            dtype: the precision of real inputs and targets; they are prepared in float64 and rounded once.

        Raises:
            DataError: if files are missing, corrupt or not what they claim to be.
            SettingError: if more samples or other classes are asked for than there are.
        """


def checksum_of(parts: Iterable[bytes]) -> str:
    """SHA-256 of the parts one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
