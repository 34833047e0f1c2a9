"""Dominant and bulk descent on quadratics whose eigenvectors are known."""

import pytest
import torch
from torch import Tensor

from edgewise.foundation import SettingError, decode, encode
from edgewise.linalg import PositiveDiagonal
from edgewise.methods import GradientDescent, HeavyBall, Projected, RMSProp, Warmup
from edgewise.objectives import Objective

F64 = torch.float64
CURVATURES = torch.tensor([10.0, 7.0, 3.0, 1.0, 0.5, -1.0], dtype=F64)
Q = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=F64)).Q
COORDINATES = torch.tensor([1.0, -2.0, 0.5, 1.5, -1.0, 0.25], dtype=F64)


def quadratic() -> Objective:
    """½ wᵀ Q diag(λ) Qᵀ w, from the point with these coordinates in the eigenbasis."""
    H = Q @ torch.diag(CURVATURES) @ Q.T
    return Objective.from_function(lambda w: 0.5 * w @ H @ w, 6, start=Q @ COORDINATES)


def descended(method: Projected, steps: int) -> Tensor:
    """The coordinates after that many steps."""
    objective = quadratic()
    w, state = objective.start, method.init(objective.start)
    for _ in range(steps):
        gradient, state = method.look(objective, objective.at(w, products=False), state)
        w, state = method.step(w, gradient, state)
    return Q.T @ w


@pytest.mark.parametrize("k", [1, 2, 6])
@pytest.mark.parametrize("part", ["dominant", "bulk"])
@pytest.mark.parametrize("every", [1, 4])
def test_a_mode_of_the_part_descends_and_the_others_stay(k: int, part: str, every: int) -> None:
    lr, steps = 0.05, 9
    moves = (torch.arange(6) < k) == (part == "dominant")
    found = descended(Projected(GradientDescent(lr), k, part, every, rtol=1e-13), steps)
    expected = COORDINATES * torch.where(moves, (1 - lr * CURVATURES) ** steps, 1.0)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_momentum_is_that_of_the_projected_gradient() -> None:
    lr, beta = 0.05, 0.7
    found = descended(Projected(HeavyBall(lr, beta), 2, rtol=1e-13), 6)
    expected = COORDINATES.clone()
    for i in range(2):
        x, v = float(COORDINATES[i]), 0.0
        for _ in range(6):
            v = beta * v + float(CURVATURES[i]) * x
            x -= lr * v
        expected[i] = x
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_the_subspace_follows_an_eigenvalue_that_overtakes() -> None:
    # L = ½ (4 − w₂) w₀² + ½ (1 + w₂) w₁²: at w₀ = w₁ = 0 the Hessian is diag(4 − w₂, 1 + w₂, 0), and the top
    # eigenvector changes from the first axis to the second at w₂ = 1.5.
    objective = Objective.from_function(lambda w: 0.5 * ((4 - w[2]) * w[0] ** 2 + (1 + w[2]) * w[1] ** 2), 3)
    method = Projected(GradientDescent(0.1), 1, every=1)
    state = method.init(objective.start)
    tops = []
    for step in range(6):
        w = torch.tensor([1e-9, 1e-9, 0.6 * step], dtype=F64)
        gradient, state = method.look(objective, objective.at(w), state)
        _, state = method.step(w, gradient, state)
        assert state.block is not None
        tops.append(int(state.block[:, 0].abs().argmax()))
    assert tops == [0, 0, 0, 1, 1, 1]


def test_between_measurements_no_product_is_spent() -> None:
    objective, method = quadratic(), Projected(GradientDescent(0.01), 2, every=3)
    w, state = objective.start, method.init(objective.start)
    spent = []
    for _ in range(7):
        point = objective.at(w)
        gradient, state = method.look(objective, point, state)
        spent.append(point.products)
        w, state = method.step(w, gradient, state)
    assert [products > 0 for products in spent] == [True, False, False, True, False, False, True]


def test_a_stored_state_goes_on_bit_for_bit() -> None:
    objective, method = quadratic(), Projected(HeavyBall(0.05, 0.5), 2, "bulk", every=2)
    w, state = objective.start, method.init(objective.start)
    for step in range(8):
        if step == 3:
            tensors: dict[str, Tensor] = {}
            stored, kept = encode(state, tensors), w
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
    again = decode(stored, tensors)
    for _ in range(5):
        gradient, again = method.look(objective, objective.at(kept), again)
        kept, again = method.step(kept, gradient, again)
    assert torch.equal(kept, w)
    assert torch.equal(again.block, state.block)


def test_everything_else_is_the_methods() -> None:
    inner = HeavyBall(0.01, 0.9)
    method = Projected(inner, 3)
    state = method.init(torch.zeros(8, dtype=F64))
    assert method.lr == 0.01
    assert method.critical_curvature == inner.critical_curvature
    assert method.critical_formula == inner.critical_formula
    assert (method.companion(12.0) == inner.companion(12.0)).all()
    assert (method.companion(12.0, state) == inner.companion(12.0)).all()
    assert method.with_step_size(0.5) == Projected(HeavyBall(0.5, 0.9), 3)
    assert method.on(None) == method
    # One gradient a step; every five steps one more and 3 + 1 + 6 products of two.
    assert method.gradients_per_step(quadratic()) == 1.0 + 21 / 5
    scheduled = Projected(GradientDescent(Warmup(0.1, 4)), 1)
    state = scheduled.init(torch.zeros(8, dtype=F64))
    assert scheduled.critical_curvature_at(state) == 2 / scheduled.step_size_at(state)
    adaptive = Projected(RMSProp(0.01), 1)
    g = torch.ones(8, dtype=F64)
    P = adaptive.preconditioner(g, g, adaptive.init(g))
    assert isinstance(P, PositiveDiagonal)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"k": 0}, r"k=0: a subspace has at least one direction\. Type k=10\."),
        ({"k": 2, "part": "top"}, r"part='top': the gradient has two parts\. Type part=\"dominant\" or"),
        ({"k": 2, "every": 0}, r"every=0: steps are counted in whole numbers"),
        ({"k": 2, "rtol": 1.0}, r"rtol=1\.0: a relative tolerance lies between 0 and 1"),
        ({"k": 2, "seed": -1}, r"seed=-1: a seed is a non-negative integer"),
    ],
    ids=str,
)
def test_settings_outside_their_range(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        Projected(GradientDescent(0.1), **arguments)  # type: ignore[arg-type]


def test_more_directions_than_parameters_are_refused() -> None:
    with pytest.raises(SettingError, match=r"k=7 and 6 parameters: .*Type k=6 or less\."):
        Projected(GradientDescent(0.1), 7).init(quadratic().start)
