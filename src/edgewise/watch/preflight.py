"""What a watch refuses before any training time is spent."""

import inspect
import sys
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from edgewise.foundation import SettingError
from edgewise.watch.live import bare, uncompiled
from edgewise.watch.sharding import Shards


def inspect_training(model: Any, optimizer: Any, batch_size: Any) -> tuple[Optimizer, dict[str, Tensor]]:
    """The bare optimiser, and the parameters that it trains in the order of the model.

    Raises:
        SettingError: if no watch can be kept over these.
    """
    if not isinstance(model, nn.Module):
        raise SettingError(
            f"a model of type {type(model).__name__}",
            "the watch reads parameters and buffers of a torch.nn.Module",
            "Type Watch(model, optimizer, criterion, probe_batch)",
        )
    optimizer = _unwrapped(optimizer)
    _refuse_closures(optimizer)
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise SettingError(
            f"batch_size={batch_size!r}",
            "it counts the samples that an update averages over",
            "Type batch_size=32",
        )
    if torch.is_inference_mode_enabled() or any(p.is_inference() for p in model.parameters()):
        raise SettingError(
            "a model made or watched inside torch.inference_mode()",
            "its tensors keep no gradients, so nothing can be trained",
            "Make model and watch outside of torch.inference_mode()",
        )
    _refuse_exchange(model)
    if not model.training:
        raise SettingError(
            f"a {type(model).__name__} in inference mode (eval)",
            "the watch reads the loss as it is trained, with dropout and batch statistics",
            "Type model.train() before making the watch",
        )
    Shards(model, ()).reshard()
    moved = {id(p) for group in optimizer.param_groups for p in group["params"] if p.requires_grad}
    trainable = {name: p for name, p in uncompiled(bare(model)).named_parameters() if p.requires_grad}
    if not trainable:
        raise SettingError(
            f"a {type(model).__name__} with no trainable parameters",
            "there is nothing to watch",
            "Type model.requires_grad_(True), or give a model that has parameters",
        )
    parameters: dict[str, Tensor] = {name: p for name, p in trainable.items() if id(p) in moved}
    if not parameters:
        raise SettingError(
            f"a {type(optimizer).__name__} that moves no parameter of this {type(model).__name__}",
            "the watch would see nothing change",
            f"Make it anew: torch.optim.{type(optimizer).__name__}(model.parameters(), …)",
        )
    return optimizer, parameters


def _unwrapped(optimizer: Any) -> Optimizer:
    """The optimiser inside those of Accelerate and Lightning."""
    for name in ("optimizer", "_optimizer"):
        inner = getattr(optimizer, name, None)
        if isinstance(inner, Optimizer):
            return inner
    if not isinstance(optimizer, Optimizer):
        raise SettingError(
            f"an optimizer of type {type(optimizer).__name__}",
            "the watch reads step sizes and state of a torch.optim.Optimizer",
            "Type torch.optim.SGD(model.parameters(), lr=0.1), or any other",
        )
    return optimizer


def _refuse_closures(optimizer: Optimizer) -> None:
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    needs_one = closure is not None and closure.default is inspect.Parameter.empty
    if needs_one or isinstance(optimizer, torch.optim.LBFGS):
        raise SettingError(
            f"{type(optimizer).__name__}, which steps with a closure",
            "it evaluates the loss several times a step, and no step size of it can be compared with an edge",
            "Give SGD, Adam, AdamW, RMSprop or another optimiser whose step() takes no closure",
        )


def _refuse_exchange(model: nn.Module) -> None:
    """A reading takes place in one process: where a forward pass needs the others, it would wait for ever."""
    # Whoever shards has this module; to load it takes a while.
    sharding = sys.modules.get("torch.distributed.fsdp")
    flattened = getattr(sharding, "FullyShardedDataParallel", ())
    sharded = getattr(sharding, "FSDPModule", ())
    parts = list(model.modules())
    if any(isinstance(part, flattened) for part in parts):
        raise SettingError(
            f"a {type(model).__name__} inside FullyShardedDataParallel",
            "it shards one flat vector, in which no parameter can be found",
            "Type torch.distributed.fsdp.fully_shard(model), which shards each parameter",
        )
    if any(isinstance(part, sharded) and not hasattr(part, "reset_iter_state") for part in parts):
        raise SettingError(
            f"a sharded {type(model).__name__} with PyTorch {torch.__version__}",
            "should a forward pass of a reading fail, the training would go on with the weights of that reading",
            "Type pip install --upgrade torch",
        )
    if any(isinstance(part, nn.SyncBatchNorm) and _processes(part) > 1 for part in parts):
        raise SettingError(
            "a model with SyncBatchNorm in more than one process",
            "its batch statistics are those of all processes: a reading in one would wait for the others",
            "Watch a run with nn.BatchNorm2d in its place, or one process",
        )


def _processes(norm: nn.SyncBatchNorm) -> int:
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size(norm.process_group)
