"""Where infinities and NaN came in: the batch, the weights, a layer's output, or the gradient."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from edgewise.objectives import fixed_data
from edgewise.watch.live import LiveLoss, Weights
from edgewise.watch.spikes.causes import AFTER, BATCH, GRADIENT

Layer = tuple[str, torch.dtype]
"""What a layer's output is called, and its type."""


def is_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether every entry of every floating-point tensor is finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors if tensor.is_floating_point())


def non_finite(live: LiveLoss, weights: Weights | None, batch: Any) -> tuple[str, ...]:
    """What is not finite, in the order in which one leads to the other.

    The batch; parameters at the weights that the loss is of; buffers; gradients; parameters after the step.

    Args:
        live: the model, after the step.
        weights: those that the loss is of; None if they were not kept.
        batch: of the step; None if it was not given.
    """
    found = [BATCH] if batch is not None and not is_finite(list(fixed_data.tensors_in(batch))) else []
    if weights is not None:
        found += [name for name, each in zip(live.space.names, weights, strict=True) if not is_finite([each])]
    # Masks are buffers with infinities in them.
    found += [f"the buffer {name}" for name, each in live.model.named_buffers() if bool(each.isnan().any())]
    named = list(live.model.named_parameters())
    found += [f"{GRADIENT}{name}" for name, p in named if p.grad is not None and not is_finite([p.grad])]
    found += [f"{name}{AFTER}" for name, p in named if name not in found and not is_finite([p])]
    return tuple(found)


def first_layer(live: LiveLoss, weights: Weights, batch: Any) -> Layer | None:
    """The first layer, or the criterion, that makes something not finite out of finite inputs, and its type.

    Args:
        live: the model.
        weights: where to look.
        batch: with what; None takes the probe batch.
    """
    seen: list[Layer] = []
    types = [torch.float32]
    with _looking(live.model, seen, types), live.between(weights, weights, batch) as loss:
        value = loss(0.0)
    if not seen and not math.isfinite(value):
        return "the criterion, of finite outputs", types[-1]
    return seen[0] if seen else None


@contextmanager
def _looking(model: nn.Module, seen: list[Layer], types: list[torch.dtype]) -> Iterator[None]:
    leaves = [(name, layer) for name, layer in model.named_modules() if not any(layer.children())]
    hooks = [layer.register_forward_hook(partial(_look, name, seen, types)) for name, layer in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _look(
    name: str, seen: list[Layer], types: list[torch.dtype], layer: nn.Module, inputs: Any, output: Any
) -> None:
    types.extend(each.dtype for each in fixed_data.tensors_in(output))
    if seen or not is_finite(list(fixed_data.tensors_in(inputs))) or not is_finite(list(layer.parameters())):
        return
    broken = [each for each in fixed_data.tensors_in(output) if not is_finite([each])]
    if broken:
        seen.append((f"the output of {name or 'the model'} ({type(layer).__name__})", broken[0].dtype))


def exceeded(live: LiveLoss, weights: Weights | None, layer: Layer | None) -> str | None:
    """The half-precision type whose largest number was exceeded; None if none was, as far as can be seen.

    Args:
        live: the model, after the step.
        weights: those that the loss is of; None if they were not kept.
        layer: as `first_layer` found it.
    """
    tensors = [*(weights or ()), *live.snapshot()]
    tensors += [p.grad for p in live.model.parameters() if p.grad is not None]
    for tensor in tensors:
        if tensor.dtype == torch.float16 and bool(torch.isinf(tensor).any()):
            return "float16"
    return "float16" if layer is not None and layer[1] == torch.float16 else None
