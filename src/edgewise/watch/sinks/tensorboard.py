"""Numbers in TensorBoard, by `SummaryWriter.add_scalar`."""

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from edgewise.watch.library import library

# A reader who looks at a run in progress need not wait for PyTorch's two minutes.
_FLUSH_SECONDS = 10


@final
class TensorBoard:
    """Scalars under `edgewise/…` at the optimiser's steps.

    Args:
        writer: a `SummaryWriter`, or a folder to open one in; None opens one below `runs/`, where
            `tensorboard --logdir runs` finds it.

    Raises:
        LibraryError: if tensorboard is not installed.
    """

    def __init__(self, writer: Any = None) -> None:
        self._writer = writer
        self._finish: weakref.finalize[[], TensorBoard] | None = None
        if writer is None or isinstance(writer, str | Path):
            door = library("torch.utils.tensorboard", "tensorboard", "logging to TensorBoard")
            # PyTorch's writer gives nothing back by itself when the process ends; a finalizer does.
            self._writer = door.SummaryWriter(writer, comment="-edgewise", flush_secs=_FLUSH_SECONDS)
            self._finish = weakref.finalize(self, self._writer.close)

    def __repr__(self) -> str:
        return "TensorBoard()"

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a scalar for every number."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the writer if it was opened here; closing twice does nothing."""
        if self._finish is not None:
            self._finish()
