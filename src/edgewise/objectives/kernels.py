"""Kernels whose higher derivatives are right, put in the place of those whose are not.

PyTorch 2.13 has fused kernels whose *values and gradients* are right while their second or third
derivatives are wrong or missing (measured against central differences in float64, see
`tests/objectives/test_layers.py`):

    torch._weight_norm             second derivative wrong
    scaled_dot_product_attention   second derivative missing, except in the MATH backend
    layer_norm, batch_norm (train), instance_norm     third derivative wrong
    mse_loss (mean)                                   no forward-mode derivative of its gradient

and others whose second derivative is right but costs more than it has to (`benchmarks/README.md`):

    conv1d, conv2d, conv3d, gelu, silu                answered in reverse mode, see `convolution`, `activations`

Inside `differentiable(order)` those calls are answered by the same formula written from primitives,
whichever module makes them, and attention runs its MATH kernel; both are undone on leaving.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from edgewise.objectives.activations import gelu, silu
from edgewise.objectives.convolution import bilinear


@contextmanager
def differentiable(order: int) -> Iterator["Substitution"]:
    """Inside, whatever is computed has right derivatives up to `order` (2 or 3).

    With 3 they are right in forward mode too; with 2 they are made for reverse mode, and faster.

    Yields:
        The record of what was met; `met_third_order_trap` says whether a graph built with order 2
        would give a wrong third derivative.
    """
    mode = Substitution({**_SECOND, **_FASTER} if order == 2 else {**_SECOND, **_THIRD, **_FORWARD})
    with sdpa_kernel(SDPBackend.MATH), mode:
        yield mode


class Substitution(TorchFunctionMode):
    """Answers calls of the given functions by their substitutes."""

    def __init__(self, substitutes: dict[Any, Callable[..., Tensor]]) -> None:
        super().__init__()
        self.substitutes = substitutes
        self.met_third_order_trap = False

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _THIRD:
            self.met_third_order_trap = True
        return self.substitutes.get(func, func)(*args, **(kwargs or {}))


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """W = g · v / ‖v‖, the norm over all axes but `dim` (all axes for dim = −1)."""
    axes = [axis for axis in range(v.ndim) if axis != dim]
    squares = (v * v).sum(axes, keepdim=True) if axes else v * v
    return v * (g / squares.sqrt())


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + ε) over the last axes, times weight, plus bias."""
    axes = tuple(range(input.ndim - len(normalized_shape), input.ndim))
    normalized = _standardize(input, axes, eps)
    normalized = normalized if weight is None else normalized * weight
    return normalized if bias is None else normalized + bias


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation; in train mode over the batch, leaving the running statistics alone."""
    if not training:
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    normalized = _standardize(input, (0, *range(2, input.ndim)), eps)
    return _affine(normalized, weight, bias)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Instance normalisation; from its own statistics, leaving the running ones alone."""
    if not use_input_stats:
        return F.instance_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    return _affine(_standardize(input, tuple(range(2, input.ndim)), eps), weight, bias)


def mse_loss(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """The mean of squared errors: the mean of those that are not reduced, anything else as it is."""
    if options.get("reduction", "mean") != "mean" or any(options.get(o) is not None for o in _MSE_OPTIONS):
        return F.mse_loss(input, target, **options)
    return F.mse_loss(input, target, reduction="none").mean()


def _standardize(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(axes, keepdim=True) + eps)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    per_channel = (-1, *(1 for _ in range(2, x.ndim)))
    x = x if weight is None else x * weight.view(per_channel)
    return x if bias is None else x + bias.view(per_channel)


_SECOND: dict[Any, Callable[..., Tensor]] = {torch._weight_norm: weight_norm}
_THIRD: dict[Any, Callable[..., Tensor]] = {
    F.layer_norm: layer_norm,
    torch.layer_norm: layer_norm,
    F.batch_norm: batch_norm,
    F.instance_norm: instance_norm,
}
_FORWARD: dict[Any, Callable[..., Tensor]] = {F.mse_loss: mse_loss}
_FASTER: dict[Any, Callable[..., Tensor]] = {
    torch.conv1d: bilinear(torch.conv1d, axes=1),
    torch.conv2d: bilinear(torch.conv2d, axes=2),
    torch.conv3d: bilinear(torch.conv3d, axes=3),
    F.gelu: gelu,
    F.silu: silu,
}
_MSE_OPTIONS = ("size_average", "reduce", "weight")
