"""The permanent matrix: layer × derivative × way, against central differences in float64.

What is promised: every derivative that edgewise gives is right, whichever layer and whichever way. Below it
stand the traps: what plain PyTorch gets wrong. A trap that stops failing here has been mended upstream, and
its substitute in `edgewise.objectives.kernels` can go.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp

from edgewise.foundation import ParameterSpace
from edgewise.objectives import CentralDifference, DoubleBackward, ForwardOverReverse, Objective, Way

WAYS: dict[str, Way] = {
    "double backward": DoubleBackward(),
    "nothing kept": DoubleBackward(memory_cap=0),
    "forward over reverse": ForwardOverReverse(),
    "central difference": CentralDifference(),
}


class Attention(nn.Module):
    """Causal attention as a user writes it, with the fused kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(6, 18), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.view(*x.shape[:2], 2, 3).transpose(1, 2) for t in self.project(x).chunk(3, -1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(x.shape))


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrent = kind(6, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.recurrent(x)[0]


class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(6, 6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, torch.tanh(x))


def _after_linear(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 6), layer, nn.Tanh(), nn.Linear(6, 2))


def _after_conv(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), layer, nn.Tanh(), nn.Flatten(), nn.LazyLinear(2))


ROWS, SEQUENCE, IMAGE, TOKENS = (8, 6), (3, 5, 6), (6, 2, 6, 6), "tokens"

LAYERS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "Linear, Tanh": (lambda: _after_linear(nn.Identity()), ROWS),
    "ReLU": (lambda: _after_linear(nn.ReLU()), ROWS),
    "GELU": (lambda: _after_linear(nn.GELU()), ROWS),
    "GELU tanh": (lambda: _after_linear(nn.GELU("tanh")), ROWS),
    "SiLU": (lambda: _after_linear(nn.SiLU()), ROWS),
    "ELU": (lambda: _after_linear(nn.ELU()), ROWS),
    "PReLU": (lambda: _after_linear(nn.PReLU()), ROWS),
    "Softplus": (lambda: _after_linear(nn.Softplus()), ROWS),
    "Sigmoid": (lambda: _after_linear(nn.Sigmoid()), ROWS),
    "Mish": (lambda: _after_linear(nn.Mish()), ROWS),
    "LogSoftmax": (lambda: _after_linear(nn.LogSoftmax(-1)), ROWS),
    "LayerNorm": (lambda: _after_linear(nn.LayerNorm(6)), ROWS),
    "LayerNorm over two axes": (lambda: nn.Sequential(nn.Linear(6, 6), nn.LayerNorm((5, 6))), SEQUENCE),
    "LayerNorm without bias": (lambda: _after_linear(nn.LayerNorm(6, bias=False)), ROWS),
    "RMSNorm": (lambda: _after_linear(nn.RMSNorm(6)), ROWS),
    "BatchNorm1d": (lambda: _after_linear(nn.BatchNorm1d(6)), ROWS),
    "BatchNorm1d without statistics": (lambda: _after_linear(nn.BatchNorm1d(6, track_running_stats=False)), ROWS),
    "BatchNorm1d without weights": (lambda: _after_linear(nn.BatchNorm1d(6, affine=False)), ROWS),
    "BatchNorm1d in eval mode": (lambda: _after_linear(nn.BatchNorm1d(6)).eval(), ROWS),
    "BatchNorm2d": (lambda: _after_conv(nn.BatchNorm2d(4)), IMAGE),
    "BatchNorm2d without statistics": (lambda: _after_conv(nn.BatchNorm2d(4, track_running_stats=False)), IMAGE),
    "BatchNorm2d in eval mode": (lambda: _after_conv(nn.BatchNorm2d(4)).eval(), IMAGE),
    "InstanceNorm2d": (lambda: _after_conv(nn.InstanceNorm2d(4, affine=True)), IMAGE),
    "InstanceNorm2d with statistics": (
        lambda: _after_conv(nn.InstanceNorm2d(4, affine=True, track_running_stats=True)),
        IMAGE,
    ),
    "GroupNorm": (lambda: _after_conv(nn.GroupNorm(2, 4)), IMAGE),
    "MaxPool2d": (lambda: _after_conv(nn.MaxPool2d(2)), IMAGE),
    "AvgPool2d": (lambda: _after_conv(nn.AvgPool2d(2)), IMAGE),
    "strided Conv2d": (lambda: _after_conv(nn.Conv2d(4, 3, 2, stride=2, padding=1)), IMAGE),
    "ConvTranspose2d": (lambda: _after_conv(nn.ConvTranspose2d(4, 3, 2)), IMAGE),
    "weight_norm": (lambda: _after_linear(nn.utils.parametrizations.weight_norm(nn.Linear(6, 6))), ROWS),
    "weight_norm of a convolution": (
        lambda: _after_conv(nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 3, 2), dim=1)),
        IMAGE,
    ),
    "weight_norm over everything": (
        lambda: _after_linear(nn.utils.parametrizations.weight_norm(nn.Linear(6, 6), dim=None)),
        ROWS,
    ),
    "spectral_norm in eval mode": (
        lambda: _after_linear(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))).eval(),
        ROWS,
    ),
    "scaled_dot_product_attention": (Attention, SEQUENCE),
    "MultiheadAttention": (SelfAttention, SEQUENCE),
    "MultiheadAttention in eval mode": (lambda: SelfAttention().eval(), SEQUENCE),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu", batch_first=True),
        SEQUENCE,
    ),
    "TransformerEncoderLayer in eval mode": (
        lambda: nn.TransformerEncoderLayer(6, 2, 8, dropout=0.1, activation="gelu", batch_first=True).eval(),
        SEQUENCE,
    ),
    "LSTM": (lambda: Recurrent(nn.LSTM), SEQUENCE),
    "GRU": (lambda: Recurrent(nn.GRU), SEQUENCE),
    "Embedding": (lambda: nn.Sequential(nn.Embedding(5, 6), nn.Tanh(), nn.Linear(6, 3)), TOKENS),
    "Bilinear": (Bilinear, ROWS),
}


def _objective(name: str, way: Way) -> Objective:
    torch.manual_seed(7)
    make, shape = LAYERS[name]
    module = make()
    inputs = torch.randint(0, 5, (4, 5)) if shape == TOKENS else torch.randn(shape)
    with torch.no_grad():
        outputs = module(inputs)  # gives lazy layers their shape, and running statistics something to run on
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn_like(parameter)  # ones and zeros hide mistakes
    module = module.double()
    inputs = inputs if shape == TOKENS else inputs.double()
    samples = len(inputs)
    return Objective.from_module(
        module, nn.MSELoss(), (inputs, torch.randn_like(outputs).double()), ghost_batch=samples, way=way
    )


def _moves(objective: Objective, count: int) -> list[Tensor]:
    """Unit vectors that weigh every parameter tensor alike."""
    random = torch.Generator().manual_seed(3)
    moves = []
    for _ in range(count):
        parts = [torch.randn(n, generator=random, dtype=torch.float64) for n in objective.space.lengths]
        moves.append(torch.cat([part / part.norm() for part in parts]) / len(parts) ** 0.5)
    return moves


def _assert_close(ours: Tensor, reference: Tensor, space: ParameterSpace, scale: float, rtol: float) -> None:
    """Within rtol in every parameter tensor, but for the rounding of a difference of numbers of size `scale`."""
    pieces = zip(space.names, ours.split(space.lengths), reference.split(space.lengths), strict=True)
    for name, mine, theirs in pieces:
        error = float((mine - theirs).norm())
        assert error <= rtol * float(theirs.norm()) + 1e-8 * scale, (name, error, float(theirs.norm()))


def _difference(function: Callable[[Tensor], Tensor], w: Tensor, v: Tensor, h: float = 3e-6) -> Tensor:
    return (function(w + h * v) - function(w - h * v)) / (2 * h)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_derivative_of_every_layer_is_right(layer: str, way: str) -> None:
    objective = _objective(layer, WAYS[way])
    w = objective.start
    u, v = _moves(objective, 2)
    at = objective.at(w)
    scale = float(at.gradient.norm()) + float(at.value)

    slope = _difference(objective.value, w, v)
    assert abs(float(at.gradient @ v - slope)) <= 1e-7 * scale

    _assert_close(at.hvp(v), _difference(objective.gradient, w, v), objective.space, scale, 1e-6)

    # From double backward, which the line above has checked; its kept graph is none of the third derivative's.
    checked = objective.using(DoubleBackward())
    reference = _difference(lambda w: checked.at(w).hvp(v), w, u)
    scale += float(at.hvp(v).norm())
    # A second difference of gradients is good to about ε^(1/2).
    rtol = 2e-4 if way == "central difference" else 1e-6
    _assert_close(at.third(u, v), reference, objective.space, scale, rtol)


# --- what plain PyTorch gets wrong


def _plain(name: str) -> tuple[Callable[[Tensor], Tensor], Objective]:
    """The same loss as a function of w, in plain PyTorch."""
    objective = _objective(name, DoubleBackward())
    chunk = next(iter(objective.terms.chunks()))
    module, space, inputs, targets = chunk.terms.module, objective.space, chunk.inputs, chunk.targets

    def loss(w: Tensor) -> Tensor:
        buffers = {n: b.clone() for n, b in module.named_buffers()}
        outputs = functional_call(module, {**buffers, **space.unflatten(w)}, (inputs,))
        return ((outputs - targets) ** 2).mean()

    return loss, objective


MENDED = "PyTorch has mended this: take the substitute out of edgewise.objectives.kernels"


def test_trap_weight_norm_has_a_wrong_second_derivative() -> None:
    loss, objective = _plain("weight_norm")
    w = objective.start.requires_grad_()
    (v,) = _moves(objective, 1)
    (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
    (plain,) = torch.autograd.grad(gradient, w, v)
    right = objective.at(w.detach()).hvp(v)
    assert float((plain - right).norm() / right.norm()) > 1e-3, MENDED


@pytest.mark.parametrize(
    "layer", ["scaled_dot_product_attention", "MultiheadAttention", "TransformerEncoderLayer"]
)
def test_trap_fused_attention_has_no_second_derivative(layer: str) -> None:
    loss, objective = _plain(layer)
    w = objective.start.requires_grad_()
    (v,) = _moves(objective, 1)
    with pytest.raises(RuntimeError):
        (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
        torch.autograd.grad(gradient, w, v)
        pytest.fail(MENDED)


@pytest.mark.parametrize("layer", ["LayerNorm", "BatchNorm1d", "BatchNorm2d without statistics", "InstanceNorm2d"])
def test_trap_native_norms_have_a_wrong_third_derivative(layer: str) -> None:
    loss, objective = _plain(layer)
    w = objective.start.requires_grad_()
    u, v = _moves(objective, 2)
    (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
    (product,) = torch.autograd.grad(gradient, w, v, create_graph=True)
    (plain,) = torch.autograd.grad(product, w, u)
    right = objective.at(w.detach()).third(u, v)
    assert float((plain - right).norm() / right.norm()) > 1e-3, MENDED


def test_trap_squared_error_refuses_forward_mode() -> None:
    x, y = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    w = torch.randn(3, dtype=torch.float64)
    with pytest.raises(RuntimeError):
        jvp(grad(lambda w: F.mse_loss(x @ w, y)), (w,), (w,))
        pytest.fail(MENDED)
