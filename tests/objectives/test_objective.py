"""Objectives against dense Hessians, closed forms, and the laws of second and third derivatives."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, hessian, jacrev

from edgewise.objectives import CentralDifference, DoubleBackward, ForwardOverReverse, Objective, Way

EXACT = [DoubleBackward(), DoubleBackward(memory_cap=0), ForwardOverReverse()]
F64 = torch.float64


def _module(*layers: nn.Module, seed: int = 0) -> nn.Module:
    module = nn.Sequential(*layers).double()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=random, dtype=F64))
    return module


def _randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _classes(n: int, classes: int, seed: int = 2) -> Tensor:
    return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))


MLP = (nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
NETS = {
    "MLP, squared error": (MLP, nn.MSELoss(), _randn(7, 3), _randn(7, 2)),
    "MLP, cross-entropy": (MLP, nn.CrossEntropyLoss(), _randn(7, 3), _classes(7, 2)),
    "softplus, logistic": (
        (nn.Linear(3, 3), nn.Softplus(), nn.Linear(3, 2)),
        nn.BCEWithLogitsLoss(),
        _randn(7, 3),
        _classes(14, 2).view(7, 2).double(),
    ),
    "CNN": (
        (nn.Conv2d(1, 2, 2), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 3)),
        nn.CrossEntropyLoss(),
        _randn(5, 1, 4, 4),
        _classes(5, 3),
    ),
}


def _dense(name: str, order: int) -> tuple[Objective, Tensor]:
    """The objective and its dense Hessian or third derivative from `torch.func`, at the start."""
    layers, criterion, inputs, targets = NETS[name]
    module = _module(*layers)
    objective = Objective.from_module(module, criterion, (inputs, targets))

    def loss(w: Tensor) -> Tensor:
        return criterion(functional_call(module, objective.space.unflatten(w), (inputs,)), targets)

    derivative = hessian(loss) if order == 2 else jacrev(hessian(loss))
    return objective, derivative(objective.start).detach()


@pytest.mark.parametrize("way", EXACT, ids=repr)
@pytest.mark.parametrize("name", NETS)
def test_products_are_the_columns_of_the_dense_hessian(name: str, way: Way) -> None:
    objective, H = _dense(name, 2)
    at = objective.using(way).at(objective.start)
    torch.testing.assert_close(at.hvp_block(torch.eye(objective.size, dtype=F64)), H, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("way", EXACT, ids=repr)
@pytest.mark.parametrize("name", ["MLP, squared error", "softplus, logistic"])
def test_third_order_products_are_contractions_of_the_dense_tensor(name: str, way: Way) -> None:
    objective, T = _dense(name, 3)
    at = objective.using(way).at(objective.start)
    for seed in range(3):
        u, v = _randn(objective.size, seed=seed), _randn(objective.size, seed=seed + 10)
        reference = torch.einsum("ijk,i,j->k", T, u, v)
        torch.testing.assert_close(at.third(u, v), reference, rtol=1e-11, atol=1e-13)


def test_central_differences_are_near_the_dense_ones() -> None:
    objective, H = _dense("MLP, squared error", 2)
    _, T = _dense("MLP, squared error", 3)
    at = objective.using(CentralDifference()).at(objective.start)
    u, v = _randn(objective.size, seed=3), _randn(objective.size, seed=4)
    torch.testing.assert_close(at.hvp(v), H @ v, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(at.third(u, v), torch.einsum("ijk,i,j->k", T, u, v), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("way", [*EXACT, CentralDifference()], ids=repr)
def test_zero_directions_give_zero(way: Way) -> None:
    objective = Objective.from_module(_module(*MLP), nn.MSELoss(), (_randn(7, 3), _randn(7, 2)), way=way)
    at, zero = objective.at(objective.start), torch.zeros(objective.size, dtype=F64)
    assert torch.equal(at.hvp(zero), zero)
    assert torch.equal(at.third(zero, objective.start), zero)
    assert torch.equal(at.third(objective.start, zero), zero)


@pytest.mark.parametrize("way", [*EXACT, CentralDifference()], ids=repr)
def test_a_linear_function_has_no_curvature(way: Way) -> None:
    c = torch.tensor([1.0, -2.0], dtype=F64)
    at = Objective.from_function(lambda w: c @ w, 2, way=way).at(c)
    assert torch.equal(at.gradient, c)
    torch.testing.assert_close(at.hvp(c), torch.zeros_like(c), atol=1e-9, rtol=0)
    torch.testing.assert_close(at.third(c, c), torch.zeros_like(c), atol=1e-6, rtol=0)


def test_a_function_that_ignores_w_has_no_derivatives() -> None:
    for way in EXACT:
        at = Objective.from_function(lambda w: torch.ones((), dtype=F64), 2, way=way).at(torch.ones(2, dtype=F64))
        for derivative in (at.gradient, at.hvp(torch.ones(2, dtype=F64)), at.third(at.w, at.w)):
            assert torch.equal(derivative, torch.zeros(2, dtype=F64))


# --- closed forms


def test_least_squares() -> None:
    """L = mean (Xw − y)²: g = 2Xᵀ(Xw − y)/n, H = 2XᵀX/n, no third derivative."""
    X, y = _randn(9, 4), _randn(9, 1)
    layer = _module(nn.Linear(4, 1, bias=False))
    at = (objective := Objective.from_module(layer, nn.MSELoss(), (X, y), chunk_size=4)).at(objective.start)
    w = objective.start
    torch.testing.assert_close(at.value, ((X @ w - y[:, 0]) ** 2).mean())
    torch.testing.assert_close(at.gradient, 2 * X.T @ (X @ w - y[:, 0]) / 9)
    torch.testing.assert_close(at.hvp_block(torch.eye(4, dtype=F64)), 2 * X.T @ X / 9)
    torch.testing.assert_close(at.third(w, w), torch.zeros(4, dtype=F64))


def test_logistic_regression() -> None:
    """L = mean log(1 + e^(−yxᵀw)): H = Xᵀ diag(p(1−p)) X / n, ∇(uᵀHv) = Xᵀ[p(1−p)(1−2p) (Xu)(Xv)] / n."""
    X, y = _randn(9, 4), _classes(9, 2).double().unsqueeze(1)
    layer = _module(nn.Linear(4, 1, bias=False))
    objective = Objective.from_module(layer, nn.BCEWithLogitsLoss(), (X, y), chunk_size=2)
    at, w = objective.at(objective.start), objective.start
    p = torch.sigmoid(X @ w)
    torch.testing.assert_close(at.gradient, X.T @ (p - y[:, 0]) / 9)
    torch.testing.assert_close(at.hvp_block(torch.eye(4, dtype=F64)), X.T @ torch.diag(p * (1 - p)) @ X / 9)
    u, v = _randn(4, seed=5), _randn(4, seed=6)
    third = X.T @ (p * (1 - p) * (1 - 2 * p) * (X @ u) * (X @ v)) / 9
    torch.testing.assert_close(at.third(u, v), third)


def test_softmax_regression() -> None:
    """L = mean cross-entropy: H = Σ_i (diag(p_i) − p_i p_iᵀ) ⊗ x_i x_iᵀ / n."""
    X, y = _randn(9, 3), _classes(9, 4)
    layer = _module(nn.Linear(3, 4, bias=False))
    objective = Objective.from_module(layer, nn.CrossEntropyLoss(), (X, y), chunk_size=5)
    at = objective.at(objective.start)
    P = torch.softmax(X @ objective.start.view(4, 3).T, 1)
    H = (
        sum(torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(x, x)) for p, x in zip(P, X, strict=True))
        / 9
    )
    torch.testing.assert_close(at.hvp_block(torch.eye(12, dtype=F64)), H)
    torch.testing.assert_close(at.gradient, ((P - F.one_hot(y, 4)).T @ X / 9).reshape(-1))
    assert float(at.metrics["accuracy"]) == pytest.approx(float((P.argmax(1) == y).double().mean()))


# --- laws

_LAWS = Objective.from_module(_module(*MLP), nn.CrossEntropyLoss(), (_randn(7, 3), _classes(7, 2)), chunk_size=3)
seeds = st.integers(0, 10_000)
numbers = st.floats(-3, 3)


@settings(max_examples=25)
@given(seeds, numbers, numbers)
def test_products_are_linear_and_symmetric(seed: int, a: float, b: float) -> None:
    at = _LAWS.at(_randn(_LAWS.size, seed=seed))
    u, v = _randn(_LAWS.size, seed=seed + 1), _randn(_LAWS.size, seed=seed + 2)
    Hu, Hv = at.hvp(u), at.hvp(v)
    torch.testing.assert_close(at.hvp(a * u + b * v), a * Hu + b * Hv, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(u @ Hv, v @ Hu, rtol=1e-10, atol=1e-12)


@settings(max_examples=25)
@given(seeds, numbers)
def test_third_order_products_are_linear_and_fully_symmetric(seed: int, a: float) -> None:
    at = _LAWS.at(_randn(_LAWS.size, seed=seed))
    u, v, z = (_randn(_LAWS.size, seed=seed + i) for i in (1, 2, 3))
    close = {"rtol": 1e-10, "atol": 1e-12}
    torch.testing.assert_close(at.third(u, v), at.third(v, u), **close)
    torch.testing.assert_close(at.third(u, v) @ z, at.third(u, z) @ v, **close)
    torch.testing.assert_close(at.third(a * u + z, v), a * at.third(u, v) + at.third(z, v), **close)


# --- precision, points and plain functions


def test_float32_is_near_float64() -> None:
    layers, criterion, inputs, targets = NETS["MLP, cross-entropy"]
    exact = Objective.from_module(_module(*layers), criterion, (inputs, targets), chunk_size=3)
    single = exact.to(torch.float32)
    assert single.start.dtype == single.dtype == torch.float32
    a, b = exact.at(exact.start), single.at(single.start)
    v = _randn(exact.size)
    for theirs, ours in (
        (a.value, b.value),
        (a.gradient, b.gradient),
        (a.hvp(v), b.hvp(v.float())),
        (a.third(v, v), b.third(v.float(), v.float())),
        (a.metrics["accuracy"], b.metrics["accuracy"]),
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_the_same_precision_is_the_same_objective() -> None:
    assert _LAWS.to(F64) is _LAWS


def test_class_weights_and_buffers_follow_the_precision() -> None:
    module = _module(nn.Linear(3, 4), nn.BatchNorm1d(4)).float().eval()
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    objective = Objective.from_module(module, criterion, (_randn(6, 3).float(), _classes(6, 4))).to(F64)
    assert objective.gradient(objective.start).dtype == F64
    assert criterion.weight.dtype == torch.float32


def test_start_is_a_copy() -> None:
    before = _LAWS.start
    _LAWS.start.add_(1)
    assert torch.equal(_LAWS.start, before)


def test_a_function_starts_where_it_is_told() -> None:
    start = torch.tensor([1.0, 2.0])
    objective = Objective.from_function(lambda w: (w**4).sum(), 2, start=start)
    assert objective.start.dtype == F64
    assert torch.equal(objective.start, start.double())
    assert torch.equal(Objective.from_function(lambda w: (w**4).sum(), 2).start, torch.zeros(2, dtype=F64))
    at = objective.at(objective.start)
    assert torch.equal(at.hvp(torch.ones(2, dtype=F64)), 12 * start.double() ** 2)
    assert torch.equal(at.third(at.w, at.w), 24 * start.double() ** 3)
    assert objective.space is None
    assert at.metrics == {}


def test_a_function_may_return_one_element() -> None:
    objective = Objective.from_function(lambda w: (w**2).sum(0, keepdim=True), 2)
    assert objective.value(torch.ones(2, dtype=F64)).shape == ()


def test_a_function_in_another_precision() -> None:
    quartic = Objective.from_function(lambda w: (w**4).sum(), 2, torch.float32, start=torch.ones(2))
    assert quartic.to(F64).gradient(torch.ones(2, dtype=F64)).tolist() == [4.0, 4.0]


def test_value_evaluate_and_gradient_agree() -> None:
    w = _LAWS.start
    evaluation = _LAWS.evaluate(w)
    torch.testing.assert_close(_LAWS.value(w), evaluation.value, rtol=1e-14, atol=0)
    assert torch.equal(_LAWS.gradient(w), evaluation.gradient)
    assert evaluation.metrics.keys() == {"accuracy"}
