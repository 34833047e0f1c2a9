"""Convolution whose second derivative is made of convolutions.

C(x, W) is bilinear, so with the cotangent g of its output

    gradients of C:      x̄ = C*ₓ(g, W),   W̄ = C*_W(x, g)
    of those, along v:   ḡ = C(vₓ, W) + C(x, v_W),   x̄ = C*ₓ(g, v_W),   W̄ = C*_W(vₓ, g)

and the last two are one call of the backward kernel with vₓ and v_W in the places of x and W. PyTorch 2.13
computes the same values, but W̄ as a convolution with a kernel of the size of the image, and x̄ even where
nobody asks for it, as in the first layer. The values and gradients here are PyTorch's to the last bit;
every higher derivative is made of the same two functions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

Options = tuple[list[int], list[int], list[int], bool, list[int], int]
"""Stride, padding, dilation, transposed, output padding and groups, as PyTorch's kernels take them."""


def bilinear(convolve: Callable[..., Tensor], axes: int) -> Callable[..., Tensor]:
    """`convolve` with the derivatives of this module, where it is given a batch and numbers.

    Args:
        convolve: `torch.conv1d`, `torch.conv2d` or `torch.conv3d`.
        axes: how many axes it slides along.
    """

    def convolution(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> Tensor:
        if isinstance(padding, str) or input.ndim != axes + 2:
            return convolve(input, weight, bias, stride, padding, dilation, groups)
        strides, paddings, dilations = (_each(axes, number) for number in (stride, padding, dilation))
        options = (strides, paddings, dilations, False, [0] * axes, groups)
        result: Tensor = _Convolution.apply(input, weight, bias, options)
        return result

    return convolution


def _each(axes: int, number: int | Sequence[int]) -> list[int]:
    numbers = [number] if isinstance(number, int) else list(number)
    return numbers * axes if len(numbers) == 1 else numbers


class _Convolution(Function):
    """C(x, W) + b."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, b: Tensor | None, options: Options) -> Tensor:
        ctx.save_for_backward(x, W)
        ctx.options, ctx.bias = options, b is not None
        result: Tensor = torch.ops.aten.convolution(x, W, b, *options)
        return result

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, W = ctx.saved_tensors
        x_bar, W_bar, b_bar = _ConvolutionGradients.apply(
            g, x, W, ctx.bias, ctx.options, list(ctx.needs_input_grad[:3])
        )
        return x_bar, W_bar, b_bar, None


class _ConvolutionGradients(Function):
    """(g, x, W) ↦ x̄, W̄ and b̄, as many of them as `wanted`."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, x: Tensor, W: Tensor, bias: bool, options: Options, wanted: list[bool]
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        ctx.save_for_backward(g, x, W)
        ctx.options = options
        ctx.set_materialize_grads(False)
        sizes = [g.shape[1]] if bias else None
        gradients: tuple[Tensor | None, Tensor | None, Tensor | None] = torch.ops.aten.convolution_backward(
            g, x, W, sizes, *options, wanted
        )
        return gradients

    @staticmethod
    def backward(
        ctx: Any, v_x: Tensor | None, v_W: Tensor | None, v_b: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]:
        g, x, W = ctx.saved_tensors
        needs_g, needs_x, needs_W = ctx.needs_input_grad[:3]
        g_bar = None
        if needs_g:
            terms = [
                None if v_x is None else _Convolution.apply(v_x, W, None, ctx.options),
                None if v_W is None else _Convolution.apply(x, v_W, None, ctx.options),
                None if v_b is None else v_b.view(-1, *(1 for _ in g.shape[2:])).expand_as(g),
            ]
            g_bar = _sum([term for term in terms if term is not None])
        x_bar = W_bar = None
        wanted = [needs_x and v_W is not None, needs_W and v_x is not None, False]
        if any(wanted):
            # What stands in for an absent direction is read for its shape only.
            directions = (x if v_x is None else v_x, W if v_W is None else v_W)
            x_bar, W_bar, _ = _ConvolutionGradients.apply(g, *directions, False, ctx.options, wanted)
        return g_bar, x_bar, W_bar, None, None, None


def _sum(terms: list[Tensor]) -> Tensor | None:
    if not terms:
        return None
    total, *rest = terms
    for term in rest:
        total = total + term
    return total
