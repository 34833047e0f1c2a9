"""Substitutes answer exactly what they stand in for, and only where they are asked to."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import _get_current_function_mode_stack

from edgewise.objectives import kernels
from edgewise.objectives.kernels import differentiable

RANDOM = torch.Generator().manual_seed(0)


def _randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=RANDOM, dtype=torch.float64)


X, W, B = _randn(4, 3, 5, 5), _randn(3), _randn(3)
MEAN, VAR = _randn(3), _randn(3) ** 2

CALLS: dict[str, Callable[[], Tensor]] = {
    "layer norm": lambda: F.layer_norm(X, [5, 5]),
    "layer norm with weights": lambda: F.layer_norm(X, [5], _W5, _B5, 0.1),
    "torch.layer_norm": lambda: torch.layer_norm(X, [5], _W5, _B5),
    "layer norm by keywords": lambda: F.layer_norm(X, normalized_shape=(3, 5, 5), eps=1e-3),
    "batch norm": lambda: F.batch_norm(X, None, None, W, B, training=True),
    "batch norm with statistics": lambda: F.batch_norm(X, MEAN.clone(), VAR.clone(), W, B, True, 0.3, 0.1),
    "batch norm in eval mode": lambda: F.batch_norm(X, MEAN, VAR, W, B),
    "batch norm of rows": lambda: F.batch_norm(X[:, :, 0, 0], None, None, W, training=True),
    "instance norm": lambda: F.instance_norm(X, weight=W, bias=B),
    "instance norm with statistics": lambda: F.instance_norm(X, MEAN.clone(), VAR.clone()),
    "instance norm in eval mode": lambda: F.instance_norm(X, MEAN, VAR, W, B, use_input_stats=False),
    "weight norm": lambda: torch._weight_norm(X[0], _G, 0),
    "weight norm along the last axis": lambda: torch._weight_norm(X[0], _B5.abs(), 2),
    "weight norm over everything": lambda: torch._weight_norm(X[0], _B5[0].abs(), -1),
    "weight norm of a vector": lambda: torch._weight_norm(W, B.abs(), 0),
    "squared error": lambda: F.mse_loss(X, X + 1),
    "sum of squared errors": lambda: F.mse_loss(X, 2 * X, reduction="sum"),
    "squared errors": lambda: F.mse_loss(X, 2 * X, reduction="none"),
    "weighted squared error": lambda: F.mse_loss(X, 2 * X, weight=X.abs()),
    "attention": lambda: F.scaled_dot_product_attention(X, X, X, is_causal=True),
    "gelu": lambda: F.gelu(X),
    "silu": lambda: F.silu(X),
    "conv2d": lambda: F.conv2d(X, _randn_like_weight, padding=1, stride=2),
}
_W5, _B5, _G = _randn(5), _randn(5), _randn(3, 1, 1)
_randn_like_weight = _randn(2, 3, 3, 3)


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("call", CALLS)
def test_substitutes_give_the_values_of_what_they_replace(call: str, order: int) -> None:
    plain = CALLS[call]()
    with differentiable(order):
        inside = CALLS[call]()
    torch.testing.assert_close(inside, plain, rtol=1e-12, atol=1e-13)
    assert torch.equal(CALLS[call](), plain)


def test_running_statistics_are_left_alone_inside() -> None:
    mean, variance = MEAN.clone(), VAR.clone()
    with differentiable(3):
        F.batch_norm(X, mean, variance, training=True)
        F.instance_norm(X, mean, variance)
    assert torch.equal(mean, MEAN)
    assert torch.equal(variance, VAR)


def test_it_says_whether_a_third_derivative_would_be_wrong() -> None:
    with differentiable(2) as met:
        F.group_norm(X, 3)
        F.rms_norm(X, [5])
        F.mse_loss(X, X)
    assert not met.met_third_order_trap
    with differentiable(2) as met:
        F.layer_norm(X, [5])
    assert met.met_third_order_trap


def test_only_third_order_pays_for_primitives() -> None:
    x = X.clone().requires_grad_()
    with differentiable(2):
        assert "NativeLayerNorm" in F.layer_norm(x, [5]).grad_fn.name()
    with differentiable(3):
        assert "NativeLayerNorm" not in F.layer_norm(x, [5]).grad_fn.name()


def test_everything_is_undone_on_leaving() -> None:
    cuda = torch.backends.cuda
    before = cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled()
    with pytest.raises(KeyError), differentiable(3), differentiable(2):
        assert not cuda.flash_sdp_enabled()
        raise KeyError
    assert (cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled()) == before
    assert _get_current_function_mode_stack() == []


def test_the_formulas() -> None:
    """Literal transcriptions, on numbers small enough to follow."""
    v = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert kernels.weight_norm(v, torch.tensor([[5.0], [1.0]])).tolist() == [[3.0, 4.0], [0.0, 1.0]]
    x = torch.tensor([[1.0, 3.0]])
    assert kernels.layer_norm(x, [2], eps=0.0).tolist() == [[-1.0, 1.0]]
    assert kernels.batch_norm(
        x.T, None, None, torch.tensor([2.0]), torch.tensor([1.0]), True, eps=0.0
    ).tolist() == [
        [-1.0],
        [3.0],
    ]
    assert float(kernels.mse_loss(x, torch.zeros(1, 2))) == 5.0
