"""Checkpoints: named tensors and one JSON text in a safetensors file, whole or not there at all.

Nothing that is read is executed: safetensors holds numbers and text only. Its header catches a
file that was cut; a checksum over names, shapes, text and bytes catches a flipped bit, because a run that is
resumed from a slightly wrong state would go on and look right.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgewise.foundation import RecordError
from edgewise.records.folder import CHECKPOINTS, put
from edgewise.records.trouble import explain, explaining

_NAME = re.compile(r"step-(\d+)\.safetensors")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a run before a step, as it was written.

    Attributes:
        step: the number of the step that comes next.
        tensors: the tensors, on the CPU.
        state: the JSON text written beside them.
        rejected: why newer checkpoints were passed over, newest first; empty as a rule.
    """

    step: int
    tensors: Mapping[str, Tensor]
    state: str
    rejected: tuple[RecordError, ...] = ()


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of `step` lies in a run's folder."""
    return folder / CHECKPOINTS / f"step-{step:08d}.safetensors"


def checkpoint_steps(folder: Path) -> tuple[int, ...]:
    """The steps that have a checkpoint, ascending."""
    place = folder / CHECKPOINTS
    if not place.exists():
        return ()  # deleted to save space; the readings are a record all the same
    with explaining(place, "reading"):
        names = [path.name for path in place.iterdir()]
    return tuple(sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name))))


def write_checkpoint(folder: Path, step: int, tensors: Mapping[str, Tensor], state: str, pinned: bool) -> None:
    """Write a checkpoint, atomically, over any of the same step.

    Raises:
        RecordError: if the disk refuses, or a tensor has no safetensors type.
    """
    path = checkpoint_path(folder, step)
    plain = _plain(tensors)
    metadata = {"step": str(step), "pinned": str(pinned), "state": state}
    metadata["checksum"] = _checksum(plain, metadata)
    with explaining(path, "writing the checkpoint"):
        path.parent.mkdir(exist_ok=True)
        try:
            put(path, lambda unfinished: save_file(plain, unfinished, metadata))
        except KeyError as error:
            raise RecordError(
                f"writing the checkpoint {path}",
                f"safetensors has no type for {error}",
                "Convert this tensor first; torch.view_as_real turns a complex one into pairs",
            ) from error


def read_checkpoint(folder: Path, step: int) -> Checkpoint:
    """Read the checkpoint of `step`.

    Raises:
        RecordError: if there is none, or the file is damaged.
    """
    path = checkpoint_path(folder, step)
    if not path.exists():
        steps = ", ".join(map(str, checkpoint_steps(folder)))
        raise RecordError(
            f"reading the checkpoint {path}",
            "the run has no checkpoint of this step",
            f"Choose from {steps}" if steps else "It has none at all; start it again from its recipe",
        )
    with _opened(path) as file:
        metadata = file.metadata() or {}
        # get_tensor may hand out memory of the file; clones belong to torch.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    checksum = metadata.pop("checksum", None)
    if metadata.get("step") != str(step) or checksum != _checksum(tensors, metadata):
        raise _damaged(path, "its checksum does not fit its contents")
    return Checkpoint(step=step, tensors=tensors, state=metadata["state"])


def newest_checkpoint(folder: Path) -> Checkpoint:
    """The newest checkpoint that is sound, with the complaints about any newer ones.

    Raises:
        RecordError: if there is none.
    """
    rejected: list[RecordError] = []
    for step in reversed(checkpoint_steps(folder)):
        try:
            sound = read_checkpoint(folder, step)
        except RecordError as complaint:
            rejected.append(complaint)
            continue
        return Checkpoint(step=step, tensors=sound.tensors, state=sound.state, rejected=tuple(rejected))
    raise RecordError(
        f"resuming {folder}",
        "; ".join(str(complaint).rstrip(".") for complaint in rejected) or "it holds no checkpoint",
        "Start the run again from its recipe, which run.json holds",
    )


def drop_old_checkpoints(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints, the pinned ones, and what cannot be read."""
    loose = [step for step in checkpoint_steps(folder) if not _is_kept(checkpoint_path(folder, step))]
    with explaining(folder / CHECKPOINTS, "deleting old checkpoints in"):
        for step in loose[: max(0, len(loose) - keep)]:
            checkpoint_path(folder, step).unlink()


def drop_later_checkpoints(folder: Path, step: int) -> None:
    """Delete the checkpoints after `step`, pinned ones included, and what a killed writer left behind."""
    place = folder / CHECKPOINTS
    with explaining(place, "deleting later checkpoints in"):
        # Newest first, so that a kill in between never leaves a gap in the middle.
        for later in reversed(checkpoint_steps(folder)):
            if later > step:
                checkpoint_path(folder, later).unlink()
        for leftover in place.glob(".*"):
            leftover.unlink()


def _is_kept(path: Path) -> bool:
    try:
        with _opened(path) as file:
            return (file.metadata() or {}).get("pinned") == str(True)
    except RecordError:
        return True


@contextmanager
def _opened(path: Path) -> "Iterator[safe_open]":
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise explain(error, path, "reading the checkpoint") from error


def _damaged(path: Path, why: str) -> RecordError:
    return RecordError(
        f"reading the checkpoint {path}",
        f"the file is damaged ({why})",
        "Resume from an earlier checkpoint of the run",
    )


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    plain: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        # safetensors refuses two tensors in one storage: tied tensors and views get their own.
        if storage.nbytes() != tensor.nbytes or storage.data_ptr() in storages:
            tensor = tensor.clone()
        storages.add(storage.data_ptr())
        plain[name] = tensor
    return plain


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    total = zlib.crc32(repr(sorted(metadata.items())).encode())
    for name, tensor in sorted(tensors.items()):
        total = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), total)
        total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
