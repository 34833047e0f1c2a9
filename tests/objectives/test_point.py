"""One point, one graph: what is asked of it changes nothing outside, and not the gradient."""

import copy
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from edgewise.foundation import DerivativeError, ObjectiveError
from edgewise.objectives import CentralDifference, DoubleBackward, ForwardOverReverse, Objective, Point, Way

WAYS: list[Way] = [DoubleBackward(), DoubleBackward(memory_cap=0), ForwardOverReverse(), CentralDifference()]


def _images(n: int = 6, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(n, 2, 6, 6, generator=random).to(dtype), torch.randint(3, (n,), generator=random)


def _net(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), *layers, nn.Flatten(), nn.LazyLinear(3))
    net(torch.randn(6, 2, 6, 6))
    return net


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Tanh": nn.Tanh,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "BatchNorm2d": lambda: nn.BatchNorm2d(4),
    "LayerNorm": lambda: nn.LayerNorm((4, 4)),
    "weight_norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 1)),
}


@pytest.mark.parametrize("cap", [0, 60_000, 4 * 2**30])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_gradient_is_the_same_to_the_last_bit_with_and_without_products(layer: str, cap: int) -> None:
    objective = Objective.from_module(
        _net(LAYERS[layer]()), nn.CrossEntropyLoss(), _images(), ghost_batch=2, way=DoubleBackward(memory_cap=cap)
    )
    w = objective.start + 0.05 * torch.randn(objective.size, generator=torch.Generator().manual_seed(2))
    alone = objective.evaluate(w)
    at = objective.at(w)
    at.hvp(w)
    asked_before = objective.at(w).gradient
    for gradient in (at.gradient, asked_before, objective.gradient(w), objective.at(w, products=False).gradient):
        assert torch.equal(gradient, alone.gradient)
    assert torch.equal(at.value, alone.value)
    assert torch.equal(at.metrics["accuracy"], alone.metrics["accuracy"])


def test_a_start_where_both_kernels_agree_by_chance_does_not_deceive() -> None:
    # At zero every GELU is exactly linear: only a look beside the start tells the kernels apart.
    net = nn.Sequential(nn.Linear(5, 64), nn.GELU(), nn.Linear(64, 1))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    objective = Objective.from_module(net, nn.MSELoss(), (x, x[:, :1]))
    for seed in range(5):
        w = torch.randn(objective.size, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(objective.at(w).gradient, objective.gradient(w))


def test_products_are_counted() -> None:
    objective = Objective.from_function(lambda w: (w**4).sum(), 3)
    at = objective.at(torch.ones(3, dtype=torch.float64))
    at.value, at.gradient, at.metrics  # noqa: B018
    assert (at.products, at.third_products) == (0, 0)
    at.hvp(at.w)
    at.hvp_block(torch.eye(3, dtype=torch.float64)[:, :2])
    at.third(at.w, at.w)
    assert (at.products, at.third_products) == (3, 1)


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_a_descent_in_place_does_not_move_the_point(way: Way) -> None:
    objective = Objective.from_module(_net(nn.Tanh()), nn.CrossEntropyLoss(), _images(), way=way)
    w = objective.start
    at, still = objective.at(w), objective.at(w.clone())
    v = torch.ones_like(w)
    at.gradient  # noqa: B018
    w.sub_(1.0)
    assert torch.equal(at.hvp(v), still.hvp(v))
    assert torch.equal(at.third(v, v), still.third(v, v))


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_answers_are_detached_whatever_is_put_in(way: Way) -> None:
    objective = Objective.from_function(lambda w: (w**4).sum(), 2, way=way)
    w, v = (
        torch.ones(2, dtype=torch.float64, requires_grad=True),
        torch.ones(2, dtype=torch.float64, requires_grad=True),
    )
    at = objective.at(w)
    for answer in (at.value, at.gradient, at.hvp(v), at.third(v, v), objective.value(w), objective.gradient(w)):
        assert not answer.requires_grad
    assert w.grad is None
    assert v.grad is None


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_products_work_where_gradients_are_off(way: Way) -> None:
    objective = Objective.from_module(_net(nn.Tanh()), nn.CrossEntropyLoss(), _images(), way=way)
    v = objective.start
    with torch.no_grad():
        at = objective.at(objective.start)
        inside = at.gradient, at.hvp(v), at.third(v, v)
    at = objective.at(objective.start)
    for a, b in zip(inside, (at.gradient, at.hvp(v), at.third(v, v)), strict=True):
        assert torch.equal(a, b)
        assert bool(a.any())


def test_the_graph_goes_with_the_point() -> None:
    objective = Objective.from_module(_net(nn.GELU()), nn.CrossEntropyLoss(), _images())
    at = objective.at(objective.start)
    at.hvp(objective.start)
    leaf = weakref.ref(at._linearization.kept_gradient)
    gc.disable()
    try:
        del at
        assert leaf() is None, "a reference cycle keeps the graph until the next garbage collection"
    finally:
        gc.enable()


# --- nothing outside is touched


class _Mode(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def _globals() -> tuple[object, ...]:
    cuda = torch.backends.cuda
    return (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.conv.fp32_precision,
        torch.backends.mkldnn.matmul.fp32_precision,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        (cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled()),
        cuda.cudnn_sdp_enabled(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        tuple(_get_current_function_mode_stack()),
    )


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_nothing_outside_is_touched(way: Way) -> None:
    net = _net(nn.BatchNorm2d(4), nn.GELU(), nn.LayerNorm((4, 4)))
    net[0].weight.grad = torch.ones_like(net[0].weight)
    net[1].bias.requires_grad_(False)
    before = copy.deepcopy(net.state_dict())
    modes = [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    wanted = [p.requires_grad for p in net.parameters()]
    inputs, targets = _images()
    given = inputs.clone(), targets.clone()
    random = torch.get_rng_state()
    torch.set_float32_matmul_precision("medium")
    try:
        with _Mode(), sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]), torch.no_grad():
            outside = _globals()
            objective = Objective.from_module(
                net, nn.CrossEntropyLoss(), (inputs, targets), ghost_batch=3, way=way
            )
            assert objective.way == way
            at = objective.at(objective.start)
            at.hvp(objective.start)
            at.third(objective.start, objective.start)
            objective.evaluate(objective.start)
            objective.value(objective.start)
            assert _globals() == outside
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == wanted
    assert torch.equal(net[0].weight.grad, torch.ones_like(net[0].weight))
    assert [p.grad is None for p in net.parameters()].count(False) == 1
    assert torch.equal(inputs, given[0])
    assert torch.equal(targets, given[1])


@pytest.mark.parametrize("way", WAYS, ids=repr)
def test_running_statistics_stay_bitwise_as_they_were(way: Way) -> None:
    net = _net(nn.BatchNorm2d(4), nn.InstanceNorm2d(4, affine=True, track_running_stats=True))
    objective = Objective.from_module(net, nn.CrossEntropyLoss(), _images(), ghost_batch=3, way=way)
    private = objective.terms.module
    before = {name: buffer.clone() for name, buffer in private.named_buffers()}
    at = objective.at(objective.start)
    first = at.hvp(objective.start)
    at.third(objective.start, objective.start)
    for name, buffer in private.named_buffers():
        assert torch.equal(buffer, before[name]), name
    assert torch.equal(objective.at(objective.start).hvp(objective.start), first)


def test_later_changes_of_the_module_do_not_reach_the_objective() -> None:
    net = _net(nn.BatchNorm2d(4)).eval()
    objective = Objective.from_module(net, nn.CrossEntropyLoss(), _images())
    before = objective.value(objective.start)
    net.train()
    with torch.no_grad():
        net[0].weight.zero_()
        net[1].running_mean.fill_(5.0)
    assert torch.equal(objective.value(objective.start), before)


def test_an_error_inside_leaves_no_mode_behind() -> None:
    calls = []

    def function(w: Tensor) -> Tensor:
        calls.append(None)
        if len(calls) > 8:
            raise KeyError("enough")
        return (w**4).sum()

    objective = Objective.from_function(function, 2)
    outside = _globals()
    with pytest.raises(KeyError):
        for _ in range(9):
            objective.at(torch.ones(2, dtype=torch.float64)).hvp(torch.ones(2, dtype=torch.float64))
    assert _globals() == outside


# --- refusals


def _point() -> Point:
    return Objective.from_function(lambda w: (w**4).sum(), 3).at(torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize(
    "wrong", [torch.ones(2, dtype=torch.float64), torch.ones(3), torch.ones(3, device="meta", dtype=torch.float64)]
)
def test_vectors_that_do_not_fit(wrong: Tensor) -> None:
    at = _point()
    with pytest.raises(
        ObjectiveError, match=r"a vector of shape .* lives on \(3,\), torch.float64, cpu.*Type torch.randn_like"
    ):
        at.hvp(wrong)
    with pytest.raises(ObjectiveError, match="a vector of shape"):
        at.third(wrong, wrong)
    with pytest.raises(ObjectiveError, match=r"a point of shape .*Type objective.start.clone\(\)"):
        Objective.from_function(lambda w: (w**4).sum(), 3).at(wrong)
    assert (at.products, at.third_products) == (0, 0)


def test_a_derivative_that_does_not_exist_is_explained() -> None:
    objective = Objective.from_function(lambda w: torch.pdist(w.view(4, 2)).sum(), 8, start=torch.arange(8.0) ** 2)
    w = objective.start
    message = r"a Hessian-vector product: PyTorch has no such derivative .* Type selfcheck\(objective\)"
    with pytest.raises(DerivativeError, match=message):
        objective.at(w).hvp(w)
    with pytest.raises(DerivativeError, match="a third-order product"):
        objective.at(w).third(w, w)
    product = objective.using(CentralDifference()).at(w).hvp(w)
    reference = (objective.gradient(w + 1e-6 * w) - objective.gradient(w - 1e-6 * w)) / 2e-6
    torch.testing.assert_close(product, reference, rtol=1e-6, atol=1e-8)


# --- memory


def _kept(cap: int, n: int = 64, chunk: int = 8) -> tuple[Point, int, int]:
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(n, 16, generator=random), torch.randn(n, 4, generator=random)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4))
    objective = Objective.from_module(net, nn.MSELoss(), (x, y), chunk, way=DoubleBackward(memory_cap=cap))
    at = objective.at(objective.start)
    at.hvp(objective.start)
    return at, at._linearization.kept_bytes, at._linearization.kept_chunks


def test_the_graph_is_kept_up_to_the_cap() -> None:
    _, all_bytes, all_chunks = _kept(2**30)
    assert all_chunks == 8
    _, some_bytes, some_chunks = _kept(all_bytes // 2)
    assert 0 < some_chunks < 8
    assert some_bytes <= all_bytes // 2
    assert _kept(0)[1:] == (0, 0)


def test_what_is_kept_does_not_change_the_products() -> None:
    reference, size, _ = _kept(2**30)
    v = torch.randn(reference.w.shape, generator=torch.Generator().manual_seed(1))
    for cap in (0, size // 3, size // 2):
        at = _kept(cap)[0]
        torch.testing.assert_close(at.hvp(v), reference.hvp(v), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(at.third(v, v), reference.third(v, v), rtol=1e-4, atol=1e-5)
        assert torch.equal(at.gradient, reference.gradient)


def test_what_is_kept_grows_with_the_data_as_it_says() -> None:
    activations = 64 * (32 + 4) * 4
    one, two, four = (_kept(2**30, n=n)[1] for n in (64, 128, 256))
    assert one > activations
    assert four - two == 2 * (two - one)
    # The parameters, and the data of which all chunks are views, are counted once.
    assert _kept(2**30, n=64, chunk=64)[1] > 0.5 * one


@pytest.mark.slow
def test_peak_memory_grows_with_the_chunk_and_not_with_the_data() -> None:
    """Measured in processes of their own: an eightfold data set must not need eight times the memory."""

    def peak(n: int, chunk: str) -> float:
        program = f"""
import resource, torch
from torch import nn
from edgewise.objectives import DoubleBackward, Objective
torch.set_num_threads(1)
x = torch.randn({n}, 8)
net = nn.Sequential(nn.Linear(8, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 1))
objective = Objective.from_module(net, nn.MSELoss(), (x, x[:, :1]), {chunk}, way=DoubleBackward(memory_cap=2**22))
at = objective.at(objective.start)
at.hvp(objective.start), at.third(objective.start, objective.start)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return float(done.stdout)

    base, small, large = peak(64, "64"), peak(1_500, "500"), peak(12_000, "500")
    whole = peak(12_000, "None")
    assert large - base < 1.5 * (small - base) + 2**14  # in KiB
    assert whole - base > 3 * (large - base)
