"""Checkpoints that somebody else wrote: found in a folder, read without executing anything in them."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import Optimizer

from edgewise.foundation import DataError, first_line

_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".tar")
# What trainers lay beside the weights. Only the optimiser's state is of use here.
_BESIDE = re.compile(r"(optimizer|scheduler|scaler|rng_state|random_states|training_args)")
_OPTIMIZERS = ("optimizer.pt", "optimizer.bin")
_SHARD = re.compile(r"-\d+-of-\d+$")
# Where training loops keep things inside a file.
_WEIGHTS = ("model_state_dict", "state_dict", "model", "module", "net", "weights")
_STATES = ("optimizer_state_dict", "optimizer", "optim", "optimizer_states")
_STEPS = ("global_step", "step", "iteration")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        path: the file, or the first of several that hold it together.
        step: updates taken before it was written.
        weights: by name.
        optimizer: the state of the optimiser; None if it was not stored.
    """

    path: Path
    step: int
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Any] | None


def checkpoint_files(folder: Path) -> tuple[tuple[Path, ...], ...]:
    """The files of the checkpoints in a folder and its folders; those that hold one together are together.

    Raises:
        DataError: if it is no folder, or has none.
    """
    if not folder.is_dir():
        raise DataError(f"the folder {folder}", "there is none", "Give the folder that the checkpoints are in")
    groups: dict[Path, list[Path]] = {}
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if path.is_file() and path.suffix in _SUFFIXES and not _BESIDE.match(path.name):
            groups.setdefault(path.with_name(_SHARD.sub("", path.stem) + path.suffix), []).append(path)
    if not groups:
        raise DataError(
            f"the folder {folder}",
            f"no checkpoint is in it (a file that ends in {', '.join(_SUFFIXES)})",
            "Store some with torch.save(model.state_dict(), 'step-100.pt') or safetensors.torch.save_file",
        )
    return tuple(map(tuple, groups.values()))


def read_checkpoint(files: Sequence[Path]) -> Checkpoint:
    """A checkpoint, read with `weights_only=True`: what would have to be unpickled is refused.

    Args:
        files: those that hold it, as `checkpoint_files` has them.

    Raises:
        DataError: if a file is corrupt or needs unpickling, holds no weights, or does not say its step.
    """
    weights: dict[str, Tensor] = {}
    optimizer, inside = None, None
    for path in files:
        content = load_tensors(path)
        found = _weights(content)
        if found is None:
            raise DataError(
                f"the file {path}",
                "no weights are in it: neither tensors by name nor a dict of them under 'model' or 'state_dict'",
                "Store model.state_dict()",
            )
        weights |= found
        if found is not content:
            optimizer, inside = _state(content), _step(content)
    beside = [path for name in _OPTIMIZERS if (path := files[0].with_name(name)).is_file()]
    if optimizer is None and beside:
        optimizer = load_tensors(beside[0])
    step = inside if inside is not None else _step_in_name(files[0])
    if step is None:
        raise DataError(
            f"the file {files[0]}",
            "neither its name nor its contents say at which step it was written",
            "Name it like step-100.pt",
        )
    return Checkpoint(path=files[0], step=step, weights=weights, optimizer=optimizer)


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: Optimizer, fresh: Mapping[str, Any]) -> None:
    """Put the weights into the model and the state into the optimiser.

    Args:
        checkpoint: as it was read.
        model: whose parameters and buffers are overwritten.
        optimizer: whose state and settings are overwritten.
        fresh: its state where the checkpoint has none.

    Raises:
        DataError: if they do not fit.
    """
    model = getattr(model, "_orig_mod", model)  # compiled from it
    own = model.state_dict()
    weights = _named_alike(checkpoint.weights, own)
    loaded = {own[name].data_ptr() for name in weights if name in own}
    # Tied weights are stored once.
    missing = [name for name in own if name not in weights and own[name].data_ptr() not in loaded]
    unknown = [name for name in weights if name not in own]
    shapes = [name for name in weights if name in own and weights[name].shape != own[name].shape]
    for names, why in (
        (missing, "the model has {}, which is not in it"),
        (unknown, "{} is in it, which the model does not have"),
        (shapes, "{} has another shape in it than in the model"),
    ):
        if names:
            raise DataError(
                f"the file {checkpoint.path}", why.format(names[0]), "Make the model that the checkpoint is of"
            )
    model.load_state_dict(weights, strict=False)
    try:
        optimizer.load_state_dict(copy.deepcopy(dict(checkpoint.optimizer or fresh)))
    except (ValueError, KeyError) as error:
        raise DataError(
            f"the file {checkpoint.path}",
            f"its optimiser state does not fit the optimiser ({first_line(error)})",
            "Make the optimiser that the checkpoint is of",
        ) from error


def load_tensors(path: Path) -> Mapping[str, Any]:
    """What is in a file of safetensors or of PyTorch; nothing in it is executed.

    Raises:
        DataError: if it is corrupt, needs unpickling, or holds something else than a dict.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    # Corrupt files end in all kinds of exceptions.
    except Exception as error:
        # PyTorch offers to read it all the same; what it named is all that is wanted of its sentence.
        named = re.search(r"(?:GLOBAL|allowlisted.* but got) (?:<class ')?([\w.]+)", str(error))
        if named:
            raise DataError(
                f"the file {path}",
                f"it would have to be unpickled, which can run any program ({named[1]} is in it), and was not",
                "Store model.state_dict(), which is tensors alone, with torch.save or safetensors",
            ) from error
        said = (
            type(error).__name__
            if "weights_only" in str(error)
            else f"{type(error).__name__}: {first_line(error)}"
        )
        raise DataError(
            f"the file {path}",
            f"it is truncated or corrupt ({said})",
            "Take it out of the folder, or store it anew",
        ) from error
    if not isinstance(content, Mapping):
        raise DataError(
            f"the file {path}",
            f"it holds a {type(content).__name__}, not tensors by name",
            "Store model.state_dict()",
        )
    return content


def _weights(content: Mapping[str, Any]) -> Mapping[str, Tensor] | None:
    """Tensors by name: the whole content, or what is under a usual key."""
    if content and all(isinstance(value, Tensor) for value in content.values()):
        return content
    for key in _WEIGHTS:
        inner = content.get(key)
        if isinstance(inner, Mapping) and inner and all(isinstance(value, Tensor) for value in inner.values()):
            return inner
    return None


def _state(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for key in _STATES:
        inner = content.get(key)
        if isinstance(inner, Sequence) and len(inner) == 1:  # as Lightning stores them
            inner = inner[0]
        if isinstance(inner, Mapping) and "param_groups" in inner:
            return inner
    return None


def _step(content: Mapping[str, Any]) -> int | None:
    found = (content[key] for key in _STEPS if key in content)
    return next((int(step) for step in found if isinstance(step, int | Tensor)), None)


def _step_in_name(path: Path) -> int | None:
    """The last number in the name of a file, or else of its folder: `checkpoint-500/model.safetensors`."""
    for name in (_SHARD.sub("", path.stem), path.parent.name):
        if numbers := re.findall(r"\d+", name):
            return int(numbers[-1])
    return None


def _named_alike(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what wrappers put before every name: `module.`, `_orig_mod.`, `model.`."""
    named = dict(weights)
    while not named.keys() & own.keys():
        heads = {name.partition(".")[0] for name in named}
        if len(heads) > 1 or not all("." in name for name in named):
            return dict(weights)
        named = {name.partition(".")[2]: tensor for name, tensor in named.items()}
    return named
