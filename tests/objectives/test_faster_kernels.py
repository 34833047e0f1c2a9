"""The substitutes that make products cheaper: PyTorch's values and gradients bit by bit, and right curvature."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.utils.flop_counter import FlopCounterMode

from edgewise.objectives import Objective
from edgewise.objectives.activations import gelu, silu
from edgewise.objectives.convolution import bilinear
from edgewise.objectives.kernels import differentiable

CONVOLUTIONS = {
    "plain": (torch.conv2d, (2, 3, 6, 5), (4, 3, 3, 2), {}),
    "stride, padding, dilation": (
        torch.conv2d, (2, 3, 9, 8), (4, 3, 3, 2), {"stride": (2, 1), "padding": (1, 2), "dilation": 2},
    ),
    "groups": (torch.conv2d, (2, 4, 5, 5), (6, 2, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": (torch.conv2d, (2, 4, 5, 5), (4, 1, 3, 3), {"groups": 4}),
    "one axis": (torch.conv1d, (2, 3, 9), (4, 3, 3), {"stride": [2]}),
    "three axes": (torch.conv3d, (1, 2, 4, 4, 4), (3, 2, 2, 2, 2), {"padding": 1}),
    "a length in words": (torch.conv2d, (2, 3, 6, 5), (4, 3, 3, 3), {"padding": "same"}),
    "no batch": (torch.conv2d, (3, 6, 5), (4, 3, 3, 3), {"padding": 1}),
}  # fmt: skip
SMOOTH = {"gelu": (gelu, F.gelu), "silu": (silu, F.silu)}


def _random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    numbers = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=numbers, dtype=dtype).requires_grad_()


@pytest.fixture(params=CONVOLUTIONS)
def convolution(request: pytest.FixtureRequest):
    native, x, W, options = CONVOLUTIONS[request.param]
    axes = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}[native]
    return native, bilinear(native, axes), (x, W, (W[0],)), options


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_convolution_and_its_gradients_are_those_of_pytorch_to_the_last_bit(convolution, dtype):
    native, ours, shapes, options = convolution
    arguments = [_random(*shape, dtype=dtype) for shape in shapes]
    expected = native(*arguments, **options)
    result = ours(*arguments, **options)
    assert torch.equal(result, expected)
    g = _random(*expected.shape, dtype=dtype)
    for ours_, theirs in zip(
        grad(result, arguments, g, create_graph=True), grad(expected, arguments, g), strict=True
    ):
        assert torch.equal(ours_, theirs)


def test_second_and_third_derivatives_of_a_convolution(convolution):
    _, ours, shapes, options = convolution
    arguments = tuple(_random(*shape) for shape in shapes)

    def first(*arguments: Tensor) -> tuple[Tensor, ...]:
        # Squared, so that the cotangents depend on the arguments too.
        return grad(ours(*arguments, **options).square().sum(), arguments, create_graph=True)

    assert gradcheck(first, arguments, fast_mode=True)
    assert gradgradcheck(first, arguments, fast_mode=True)


def test_a_convolution_without_bias_and_with_a_constant_input_or_weight():
    x, W = _random(2, 3, 5, 5), _random(4, 3, 3, 3)
    ours = bilinear(torch.conv2d, 2)
    for free, call in ((x, lambda t: ours(t, W.detach())), (W, lambda t: ours(x.detach(), t))):

        def first(t: Tensor, call: Callable[[Tensor], Tensor] = call) -> Tensor:
            return grad(call(t).pow(3).sum(), t, create_graph=True)[0]

        assert gradcheck(first, (free,), fast_mode=True)
        assert gradgradcheck(first, (free,), fast_mode=True)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_smooth_activation_and_its_gradient_are_those_of_pytorch_to_the_last_bit(name, dtype):
    ours, native = SMOOTH[name]
    x, g = _random(3, 333, dtype=dtype), _random(3, 333, dtype=dtype).detach()
    assert torch.equal(ours(x), native(x))
    (expected,) = grad(native(x), x, g)
    # PyTorch's own rounds differently for silu once a graph is asked for; the optimiser's gradient must not.
    for graph in (False, True):
        (gradient,) = grad(ours(x), x, g, create_graph=graph)
        assert torch.equal(gradient, expected)


@pytest.mark.parametrize("name", SMOOTH)
def test_second_third_and_fourth_derivatives_of_a_smooth_activation(name):
    ours, _ = SMOOTH[name]
    x = torch.cat([torch.linspace(-9, 9, 41), torch.zeros(1)]).double().requires_grad_()

    def first(x: Tensor) -> Tensor:
        return grad(ours(x).square().sum(), x, create_graph=True)[0]

    def second(x: Tensor) -> Tensor:
        return grad(first(x).square().sum(), x, create_graph=True)[0]

    assert gradcheck(first, (x,))
    assert gradgradcheck(first, (x,))
    assert gradcheck(second, (x,))


def test_other_ways_of_calling_an_activation_are_left_to_pytorch():
    x = _random(5).detach()
    assert torch.equal(gelu(x, approximate="tanh"), F.gelu(x, approximate="tanh"))
    assert silu(x, inplace=True) is x


@pytest.mark.parametrize("make", [nn.Conv1d, nn.Conv2d, nn.Conv3d], ids=lambda make: make.__name__)
def test_modules_reach_the_substitutes(make):
    layer = make(2, 3, 3).double()
    x = _random(2, 2, *(5 for _ in layer.kernel_size))
    with differentiable(2):
        assert "_Convolution" in type(layer(x).grad_fn).__name__
        assert {type(f(x).grad_fn).__name__ for f in (nn.GELU(), nn.SiLU())} == {"_ValueBackward"}
    assert "_Convolution" not in type(layer(x).grad_fn).__name__


def test_a_product_through_convolutions_takes_fewer_operations_than_pytorch_s_own():
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(128, 2))
    inputs, targets = _random(4, 3, 8, 8, dtype=torch.float32).detach(), torch.zeros(4, 2)
    objective = Objective.from_module(module, nn.MSELoss(), (inputs, targets))
    at = objective.at(objective.start)
    v = torch.ones_like(objective.start)
    parameters = tuple(module.parameters())
    gradients = grad(nn.MSELoss()(module(inputs), targets), parameters, create_graph=True)

    def native() -> Tensor:
        ones = [torch.ones_like(p) for p in parameters]
        return torch.cat([p.flatten() for p in grad(gradients, parameters, ones, retain_graph=True)])

    torch.testing.assert_close(at.hvp(v), native())

    def operations(f: Callable[[], object]) -> int:
        with FlopCounterMode(display=False) as counter:
            f()
        return counter.get_total_flops()

    # The gradient of the images, which nobody asks for.
    assert operations(lambda: at.hvp(v)) < 0.95 * operations(native)
