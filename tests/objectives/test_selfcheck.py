"""The self-check finds the layer, whichever derivative is wrong, and accuses nobody by accident."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function

from edgewise.foundation import ObjectiveError
from edgewise.objectives import (
    CentralDifference,
    DerivativeCheck,
    DoubleBackward,
    ForwardOverReverse,
    Objective,
    SelfCheck,
    Way,
    selfcheck,
)

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(12) % 3


class WrongFirst(Function):
    """x³/3 with the derivative 1.01 x²."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3 / 3

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return 1.01 * g * ctx.saved_tensors[0] ** 2


class WrongSlope(Function):
    """x² with the derivative 2.02 x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return 2.02 * g * ctx.saved_tensors[0]


class WrongSecond(Function):
    """x³/3 with the right first derivative and a wrong second one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3 / 3

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * WrongSlope.apply(ctx.saved_tensors[0])


class Slope(Function):
    """x³ with the right derivative 3x², whose own derivative is wrong: 3 · 2.02 x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return 3 * g * WrongSlope.apply(ctx.saved_tensors[0])


class WrongThird(Function):
    """x⁴/4 with right first and second derivatives and a wrong third one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**4 / 4

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * Slope.apply(ctx.saved_tensors[0])


class Once(Function):
    """x²/2 with a first derivative that PyTorch silently takes for a constant."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**2 / 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * ctx.saved_tensors[0]


class Layer(nn.Module):
    """A layer made of one of them."""

    def __init__(self, function: type[Function]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function.apply(x)


class NativeNorm(nn.Module):
    """A layer normalisation whose call nobody intercepts; its third derivative is wrong in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(5) + 0.5), nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.native_layer_norm(x, [5], self.weight, self.bias, 1e-5)[0]


class Distances(nn.Module):
    """Distances to centres, through a kernel that has no second derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(5, 5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.centres)


class Block(nn.Module):
    """Two good layers, and something wrong between them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(WrongSecond.apply(self.one(x)))


def _net(*middle: nn.Module, **kwargs: Any) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Sequential(nn.Tanh(), *middle), nn.Linear(5, 3))


def _checked(module: nn.Module, criterion: Any = None, data: Any = None, way: Way | None = None) -> SelfCheck:
    data = (X, Y) if data is None else data
    return selfcheck(Objective.from_module(module, criterion or nn.CrossEntropyLoss(), data, way=way))


def _passed(found: SelfCheck) -> list[bool]:
    return [row.passed for row in found.rows]


# --- finding the layer


@pytest.mark.parametrize(
    ("layer", "passed"),
    [
        (lambda: Layer(WrongFirst), [False, None, None]),
        (lambda: Layer(WrongSecond), [True, False, None]),
        (lambda: Layer(Once), [True, False, None]),
        (lambda: Layer(WrongThird), [True, True, False]),
        (NativeNorm, [True, True, False]),
        (Distances, [True, False, False]),
    ],
)
def test_the_layer_is_named(layer: Any, passed: list[bool | None]) -> None:
    found = _checked(_net(nn.Linear(5, 5), layer(), nn.Tanh()))
    assert not found.passed
    for row, expected in zip(found.rows, passed, strict=True):
        assert expected is None or row.passed is expected, row
    assert found.offender == "1.2"
    assert found.kind == type(layer()).__name__
    assert not found.between
    assert f"look at 1.2 ({found.kind})" in found.sentence


def test_a_right_layer_passes_alone_and_all_others_stay_unaccused() -> None:
    for layer in (
        nn.LayerNorm(5),
        nn.GELU(),
        nn.RMSNorm(5),
        nn.utils.parametrizations.weight_norm(nn.Linear(5, 5)),
    ):
        found = _checked(_net(layer))
        assert found.passed, found
        assert found.offender is None
        assert found.sentence == "All derivatives agree with finite differences."


def test_a_mistake_in_a_parametrization_is_found_inside_it() -> None:
    class Cube(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return WrongSecond.apply(x)

    net = _net()
    torch.nn.utils.parametrize.register_parametrization(net[2], "weight", Cube())
    found = _checked(net)
    assert found.offender == "2.parametrizations.weight.0"
    assert found.kind == "Cube"


def test_a_mistake_between_layers_is_placed_in_the_smallest_block_around_it() -> None:
    found = _checked(_net(Block()))
    assert (found.offender, found.kind, found.between) == ("1.1", "Block", True)
    assert "look at the forward code of 1.1 (Block)" in found.sentence


def test_a_mistake_between_the_outermost_layers() -> None:
    class Outermost(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 5), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.two(WrongSecond.apply(self.one(x)))

    torch.manual_seed(0)
    found = _checked(Outermost())
    assert found.offender is None
    assert "no layer fails alone, so look at the forward code between them" in found.sentence


def test_a_module_without_layers() -> None:
    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return WrongSecond.apply(x @ self.weight)

    torch.manual_seed(0)
    found = _checked(Alone())
    assert (found.offender, found.kind, found.between) == ("the module itself", "Alone", False)


def test_a_criterion_may_be_the_offender() -> None:
    def cubed(outputs: Tensor, targets: Tensor) -> Tensor:
        return WrongSecond.apply(outputs - targets).mean()

    found = _checked(_net(), cubed, (X, X[:, :3]))
    assert (found.offender, found.kind) == ("criterion", "cubed")


def test_the_first_of_several_is_named_in_a_nest_of_inputs() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right, self.bad = nn.Linear(4, 3), nn.Linear(4, 3), Layer(WrongSecond)

        def forward(self, pair: dict[str, Any], scale: float = 1.0) -> dict[str, Tensor]:
            left, (right, _) = pair["left"], pair["rest"]
            return {"scores": scale * (self.left(left) + self.bad(self.right(right)))}

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair, self.last = Pair(), Layer(WrongSecond)

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            scores = self.pair({"left": left, "rest": (right, "a label")}, scale=0.5)["scores"]
            return self.last(scores)

    torch.manual_seed(0)
    for inputs in ((X, X), {"right": X, "left": X}):
        assert _checked(Outer(), None, (inputs, Y)).offender == "pair.bad"


def test_integer_inputs() -> None:
    ids = torch.arange(24).view(8, 3) % 7
    torch.manual_seed(0)
    good = nn.Sequential(nn.Embedding(7, 4), nn.Tanh(), nn.Flatten(), nn.Linear(12, 3))
    assert _checked(good, None, (ids, Y[:8])).passed
    bad = nn.Sequential(nn.Embedding(7, 4), Layer(WrongSecond), nn.Flatten(), nn.Linear(12, 3))
    assert _checked(bad, None, (ids, Y[:8])).offender == "1"


def test_an_attention_block_is_searched_through() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True, activation="gelu")
            self.bad, self.head = Layer(WrongSecond), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.bad(self.encoder(x).mean(1)))

    x = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    # In eval mode, where PyTorch has a shortcut past the layers of an encoder.
    assert _checked(Attending().eval(), None, (x, Y[:6])).offender == "bad"


@pytest.mark.parametrize("way", [DoubleBackward(), ForwardOverReverse(), CentralDifference()], ids=repr)
def test_every_way_passes_on_a_good_net(way: Way) -> None:
    found = _checked(_net(nn.LayerNorm(5), nn.SiLU()), way=way)
    assert found.passed, found


def test_forward_mode_that_a_layer_does_not_know_is_named() -> None:
    found = _checked(_net(Layer(WrongThird)), way=ForwardOverReverse())
    assert not found.passed
    assert found.offender == "1.1"
    assert all(row.error == float("inf") for row in found.rows[1:])


def test_differences_of_gradients_do_not_depend_on_wrong_second_derivatives() -> None:
    assert _checked(_net(Layer(WrongSecond)), way=CentralDifference()).passed


# --- kinks


def test_kinks_do_not_fail_by_accident() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
    x = torch.randn(300, 6)
    for seed in range(3):
        objective = Objective.from_module(net, nn.CrossEntropyLoss(), (x, torch.arange(300) % 3))
        found = selfcheck(objective, seed=seed)
        assert found.passed, found


def test_kinks_exactly_at_w_do_not_fail_by_accident() -> None:
    """Blank corners of images and biases of zero: many ReLUs and max-pools stand exactly on their kink."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16, 3),
    )
    for name, parameter in net.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    images = torch.randn(40, 1, 8, 8).relu()
    images[:, :, :5, :] = 0
    found = _checked(net, None, (images, torch.arange(40) % 3))
    assert found.passed, found


def test_a_wrong_layer_is_found_among_kinks() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), Layer(WrongSecond), nn.Linear(30, 3))
    assert _checked(net).offender == "2"


# --- plain functions, the point, and what is left behind


def test_plain_functions() -> None:
    good = selfcheck(Objective.from_function(lambda w: (w**4).sum() + torch.cos(w).prod(), 5))
    assert good.passed, good
    bad = selfcheck(Objective.from_function(lambda w: WrongSecond.apply(w).sum(), 3))
    assert _passed(bad)[:2] == [True, False]
    assert bad.offender is None
    single = Objective.from_function(lambda w: (w**4).sum(), 3, torch.float32)
    assert selfcheck(single, torch.ones(3)).passed


def test_a_function_defined_only_near_its_start() -> None:
    start = torch.tensor([1e-3, 1.0], dtype=torch.float64)
    assert selfcheck(Objective.from_function(lambda w: torch.log(w).sum() ** 2, 2, start=start)).passed


def test_the_point_and_the_tolerance_may_be_chosen() -> None:
    # Wrong only for w > 2.
    objective = Objective.from_function(lambda w: torch.where(w > 2, WrongFirst.apply(w), w**3 / 3).sum(), 2)
    assert selfcheck(objective, torch.ones(2, dtype=torch.float64)).passed
    far = torch.full((2,), 5.0, dtype=torch.float64)
    assert not selfcheck(objective, far).passed
    assert selfcheck(objective, far, rtol=0.1).passed
    with pytest.raises(ObjectiveError, match="a point of shape"):
        selfcheck(objective, torch.ones(3, dtype=torch.float64))


def test_a_dead_parameter_is_no_mistake() -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.unused = nn.Linear(4, 3), nn.Parameter(torch.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    torch.manual_seed(0)
    assert _checked(Dead()).passed


def test_a_mistake_in_one_small_tensor_is_not_lost_among_large_ones() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return x * (self.scale + 0.1 * WrongSecond.apply(self.scale))

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), Scaled(), nn.Linear(64, 3))
    found = _checked(net)
    assert _passed(found)[:2] == [True, False]
    assert found.rows[1].worst == "4.scale"
    assert found.offender == "4"


def test_it_is_deterministic_and_leaves_nothing_behind() -> None:
    net = _net(Layer(WrongSecond))
    objective = Objective.from_module(net, nn.CrossEntropyLoss(), (X, Y))
    random = torch.get_rng_state()
    one, other = selfcheck(objective), selfcheck(objective)
    assert one == other
    assert one != selfcheck(objective, seed=1)
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_pre_hooks for m in (*net.modules(), *objective.terms.module.modules()))
    double = objective.to(torch.float64)
    before = double.start
    selfcheck(double, before + 1.0)
    assert torch.equal(double.terms.start, before)
    assert not any(m._forward_pre_hooks for m in double.terms.module.modules())


def test_works_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert _checked(_net()).passed


def test_the_table() -> None:
    rows = (
        DerivativeCheck(derivative="gradient", error=2e-9, tolerance=1e-4, worst="0.weight"),
        DerivativeCheck(derivative="Hessian-vector product", error=0.5, tolerance=1e-4, worst="0.bias"),
        DerivativeCheck(derivative="third-order product", error=float("inf"), tolerance=1e-4, worst=""),
    )
    lines = str(SelfCheck(rows=rows, offender="1", kind="Bad")).splitlines()
    assert lines == [
        "derivative                  error  allowed  finding",
        "gradient                  2.0e-09  1.0e-04  right",
        "Hessian-vector product    5.0e-01  1.0e-04  wrong, most in 0.bias",
        "third-order product           inf  1.0e-04  missing",
        "The Hessian-vector product and the third-order product cannot be trusted: look at 1 (Bad).",
    ]
