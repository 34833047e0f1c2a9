"""Smooth activations whose second derivative is computed once for all products at a point.

For y = f(x) elementwise, with the cotangent g of y and a direction v,

    x̄ = g f′(x),     of which, along v:   ḡ = v f′(x),   x̄ = v (g f″(x)).

g f″(x) does not depend on v. PyTorch 2.13 computes it from half a dozen primitives in every product; here it
is kept with the graph. Values and gradients are PyTorch's to the last bit, those of SiLU also where PyTorch
switches to other primitives for a gradient that is to be differentiated.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function


@final
@dataclass(frozen=True, slots=True)
class _Smooth:
    """An elementwise function.

    Attributes:
        value: f(x).
        backward: (g, x) ↦ g f′(x), PyTorch's kernel.
        second: f″(x), from primitives that can be differentiated.
    """

    value: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    second: Callable[[Tensor], Tensor]


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x Φ(x); the approximation by tanh is left to PyTorch."""
    if approximate != "none":
        return F.gelu(input, approximate=approximate)
    result: Tensor = _Value.apply(input, _GELU)
    return result


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x σ(x)."""
    if inplace:
        return F.silu(input, inplace=True)
    result: Tensor = _Value.apply(input, _SILU)
    return result


class _Value(Function):
    """f(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, f: _Smooth) -> Tensor:
        ctx.save_for_backward(x)
        ctx.f = f
        return f.value(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return _gradient(g, x, ctx.f), None


class _Gradient(Function):
    """g f′(x)."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, f: _Smooth) -> Tensor:
        ctx.save_for_backward(g, x, g * f.second(x))
        ctx.f = f
        return f.backward(g, x)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor, Tensor, None]:
        g, x, curvature = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A third derivative is wanted: what was kept is a number, not a function of g and x.
            curvature = g * ctx.f.second(x)
        return _gradient(v, x, ctx.f), v * curvature, None


def _gradient(g: Tensor, x: Tensor, f: _Smooth) -> Tensor:
    """g f′(x), with g f″(x) kept beside it where it is going to be differentiated."""
    if not torch.is_grad_enabled():
        return f.backward(g, x)
    result: Tensor = _Gradient.apply(g, x, f)
    return result


def _gelu_second(x: Tensor) -> Tensor:
    """(2 − x²) φ(x), with the normal density φ."""
    square = x * x
    return (2 - square) * torch.exp(-0.5 * square) / math.sqrt(2 * math.pi)


def _silu_second(x: Tensor) -> Tensor:
    """σ (1 − σ) (2 + x (1 − 2σ)), with σ = 1/(1 + e⁻ˣ)."""
    sigmoid = torch.sigmoid(x)
    return sigmoid * (1 - sigmoid) * (2 + x * (1 - 2 * sigmoid))


_GELU = _Smooth(F.gelu, torch.ops.aten.gelu_backward, _gelu_second)
_SILU = _Smooth(F.silu, torch.ops.aten.silu_backward, _silu_second)
