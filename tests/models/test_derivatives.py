"""Gradient, Hessian product and third-order product of every family against central differences, in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from edgewise.foundation import ParameterSpace
from edgewise.models import (
    CNN,
    MLP,
    VGG11,
    BatchNorm,
    DeepLinear,
    LayerNorm,
    Model,
    OneHiddenLayer,
    ResNet,
    Transformer,
    ViT,
)

Loss = Callable[[Tensor], Tensor]

IMAGES = [
    MLP(widths=(5, 4)),
    MLP(widths=(5,), parameterization="ntk", activation="gelu"),
    OneHiddenLayer(width=6),
    DeepLinear(depth=3, width=4),
    CNN(channels=(2, 3), pooling="average"),
    CNN(channels=(2, 3), pooling="max", batch_norm=True),
    ResNet(blocks=1, width=2, activation="softplus"),
    ResNet(blocks=1, width=2, activation="tanh", batch_norm=False),
    ViT(patch=4, layers=1, width=6, heads=2, expansion=2),
]


def image_loss(model: Model, shape: tuple[int, ...] = (2, 8, 8)) -> tuple[Loss, Tensor]:
    draw = torch.Generator().manual_seed(0)
    module = model.build(shape, 3, seed=0).double()
    inputs = torch.randn(4, *shape, generator=draw, dtype=torch.float64)
    targets = torch.randn(4, 3, generator=draw, dtype=torch.float64)
    return as_function(module, lambda f: 0.5 * ((f(inputs) - targets) ** 2).sum(1).mean())


def text_loss() -> tuple[Loss, Tensor]:
    draw = torch.Generator().manual_seed(0)
    module = Transformer(layers=2, width=6, heads=2, expansion=2).build((5,), 7, seed=0).double()
    tokens = torch.randint(7, (3, 6), generator=draw)
    return as_function(
        module, lambda f: nn.functional.cross_entropy(f(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    )


def as_function(
    module: nn.Module, criterion: Callable[[Callable[[Tensor], Tensor]], Tensor]
) -> tuple[Loss, Tensor]:
    """The loss as a function of the flat vector, and the module's own vector."""
    space = ParameterSpace.of(module)

    def loss(w: Tensor) -> Tensor:
        return criterion(lambda x: functional_call(module, space.unflatten(w), (x,)))

    return loss, space.flatten(dict(module.named_parameters())).detach()


def derivatives(loss: Loss, w: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """∇L, H v and ∇(uᵀ H v) by reverse mode alone."""
    w = w.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
    (product,) = torch.autograd.grad(gradient @ v, w, create_graph=True)
    (third,) = torch.autograd.grad(product @ u, w)
    return gradient.detach(), product.detach(), third


def check(loss: Loss, w: Tensor) -> None:
    draw = torch.Generator().manual_seed(1)
    u, v = torch.randn(2, len(w), generator=draw, dtype=torch.float64)
    gradient, product, third = derivatives(loss, w, u, v)
    # The error of a central difference is of order h² (1e-10) plus rounding over h (1e-11).
    h = 1e-5
    difference = (loss(w + h * v) - loss(w - h * v)) / (2 * h)
    torch.testing.assert_close(gradient @ v, difference, rtol=1e-6, atol=1e-8)
    ahead, behind = (derivatives(loss, w + sign * h * u, u, v) for sign in (1, -1))
    along_v = [derivatives(loss, w + sign * h * v, u, v)[0] for sign in (1, -1)]
    for exact, (a, b) in ((product, along_v), (third, (ahead[1], behind[1]))):
        scale = float(exact.abs().max())
        assert scale > 0
        torch.testing.assert_close(exact, (a - b) / (2 * h), rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("model", IMAGES, ids=repr)
def test_three_derivatives_of_image_models(model: Model) -> None:
    check(*image_loss(model))


def test_three_derivatives_of_vgg() -> None:
    check(*image_loss(VGG11(width=1, activation="tanh", pooling="average"), (1, 32, 32)))


def test_three_derivatives_of_the_transformer() -> None:
    check(*text_loss())


@pytest.mark.parametrize("norm", [LayerNorm(5), BatchNorm(5)], ids=["layer", "batch"])
def test_three_derivatives_through_a_normalisation(norm: nn.Module) -> None:
    draw = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), norm, nn.Tanh(), nn.Linear(5, 2)).double()
    inputs = torch.randn(6, 3, generator=draw, dtype=torch.float64)
    check(*as_function(module, lambda f: (f(inputs) ** 2).mean()))


def test_the_check_above_catches_the_native_layer_norm() -> None:
    # The reason for writing normalisations out; when this fails, PyTorch has been mended.
    draw = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 2)).double()
    inputs = torch.randn(6, 3, generator=draw, dtype=torch.float64)
    with pytest.raises(AssertionError, match="not close"):
        check(*as_function(module, lambda f: (f(inputs) ** 2).mean()))
