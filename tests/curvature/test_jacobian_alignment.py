"""Layerwise Jacobians against closed forms: products of matrices, and tanh written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from edgewise.curvature import gauss_newton_share, jacobian_alignment
from edgewise.foundation import ObjectiveError, SettingError
from edgewise.objectives import Objective

F64 = torch.float64


def _randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def _orthogonal(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(_randn(size, size, seed=seed)).Q


X = _randn(5, 4, seed=1)


def linear_network(matrices: list[Tensor], x: Tensor = X) -> Objective:
    layers = [nn.Linear(W.shape[1], W.shape[0], bias=False, dtype=F64) for W in matrices]
    with torch.no_grad():
        for layer, W in zip(layers, matrices, strict=True):
            layer.weight.copy_(W)
    targets = torch.zeros(len(x), matrices[-1].shape[0], dtype=F64)
    return Objective.from_module(nn.Sequential(*layers), nn.MSELoss(), (x, targets))


@settings(max_examples=10)
@given(seed=st.integers(0, 500), angles=st.lists(st.floats(0.0, 1.5), min_size=2, max_size=2))
def test_a_deep_linear_network_with_angles_between_its_layers(seed: int, angles: list[float]) -> None:
    # W_l has the singular values 3, 1 (and zeros), and its right vectors are the left ones of W_{l−1} turned by
    # θ in their plane. With diag = D = diag(3, 1) and R(θ) the rotation, W_4 W_3 W_2 has the norm of D R D R D.
    D = torch.diag(torch.tensor([3.0, 1.0, 0.0, 0.0], dtype=F64))
    turns = []
    for angle in angles:
        R = torch.eye(4, dtype=F64)
        c, s = math.cos(angle), math.sin(angle)
        R[:2, :2] = torch.tensor([[c, -s], [s, c]], dtype=F64)
        turns.append(R)
    frames = [_orthogonal(4, seed + i) for i in range(4)]
    chain = [D, D @ turns[0], D @ turns[1]]
    matrices = [_randn(4, 4, seed=seed)]
    matrices += [frames[i + 1] @ chain[i] @ frames[i].T for i in range(3)]
    objective = linear_network(matrices)
    found = jacobian_alignment(objective, objective.start)
    expected = torch.linalg.matrix_norm(chain[2] @ chain[1] @ chain[0], 2) / 27
    assert found.alignment == pytest.approx(float(expected), rel=1e-12)
    assert found.overlaps == pytest.approx([math.cos(a) for a in angles], abs=1e-12)
    assert found.norms == pytest.approx((3.0, 3.0, 3.0), rel=1e-12)
    assert found.samples == 5
    assert 0.0 < found.alignment <= 1.0 + 1e-12


def test_balanced_layers_are_aligned_and_orthogonal_ones_are_not() -> None:
    Q, S = [_orthogonal(3, i) for i in range(5)], torch.diag(torch.tensor([2.0, 0.5, 0.1], dtype=F64))
    balanced = linear_network([Q[i + 1] @ S @ Q[i].T for i in range(4)], X[:, :3])
    aligned = jacobian_alignment(balanced, balanced.start)
    assert aligned.alignment == pytest.approx(1.0, abs=1e-12)
    assert aligned.overlaps == pytest.approx((1.0, 1.0), abs=1e-12)
    e = torch.eye(3, dtype=F64)
    crossed = linear_network([S, torch.outer(e[0], e[1]), torch.outer(e[2], e[1])], X[:, :3])
    across = jacobian_alignment(crossed, crossed.start)
    assert across.alignment == pytest.approx(0.0, abs=1e-14)
    assert across.overlaps == pytest.approx((0.0,), abs=1e-14)


def test_tanh_written_out() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(4, 6), nn.Tanh()),
        nn.Linear(6, 5),
        nn.Tanh(),
        nn.Linear(5, 3),
        nn.Sigmoid(),
    ).double()
    objective = Objective.from_module(module, nn.MSELoss(), (X, torch.zeros(5, 3, dtype=F64)), chunk_size=2)
    w = objective.start + 0.3 * _randn(objective.size, seed=4)
    pieces = objective.space.unflatten(w)
    W1, b1, W2, b2, W3, b3 = pieces.values()
    rows, all_norms = [], []
    for x in X[[0, 1, 3]]:  # three samples spread over five: 0, ⌊5/3⌋, ⌊10/3⌋
        z1 = W1 @ x + b1
        z2 = W2 @ z1.tanh() + b2
        z3 = W3 @ z2.tanh() + b3
        J2 = W2 * (1 - z1.tanh() ** 2)
        J3 = (z3.sigmoid() * (1 - z3.sigmoid()))[:, None] * W3 * (1 - z2.tanh() ** 2)
        norms = [float(torch.linalg.matrix_norm(J, 2)) for J in (J2, J3)]
        rows.append(float(torch.linalg.matrix_norm(J3 @ J2, 2)) / math.prod(norms))
        all_norms.append(norms)
    found = jacobian_alignment(objective, w, samples=3)
    assert found.alignment == pytest.approx(sum(rows) / 3, rel=1e-12)
    assert found.norms == pytest.approx([sum(n) / 3 for n in zip(*all_norms, strict=True)], rel=1e-12)
    assert found.samples == 3


@pytest.mark.parametrize("what", ["module", "tensor"])
def test_what_is_used_twice_is_two_layers(what: str) -> None:
    torch.manual_seed(0)
    tanh, second, third = nn.Tanh(), nn.Linear(5, 5), nn.Linear(5, 5)
    third.weight = second.weight  # next to a bias of its own
    again = second if what == "module" else third
    module = nn.Sequential(nn.Linear(4, 5), tanh, second, tanh, again, tanh, nn.Linear(5, 3)).double()
    objective = Objective.from_module(module, nn.MSELoss(), (X[:1], torch.zeros(1, 3, dtype=F64)))
    w = objective.start + 0.3 * _randn(objective.size, seed=4)
    W1, b1, W, b, *other, W4, _ = objective.space.unflatten(w).values()
    assert len(other) == (what == "tensor")
    z = W1 @ X[0] + b1
    jacobians = []
    for weight, bias in ((W, b), (W, *(other or [b])), (W4, 0)):
        jacobians.append(weight * (1 - z.tanh() ** 2))
        z = weight @ z.tanh() + bias
    norms = [float(torch.linalg.matrix_norm(J, 2)) for J in jacobians]
    product = torch.linalg.matrix_norm(torch.linalg.multi_dot(jacobians[::-1]), 2)
    found = jacobian_alignment(objective, w)
    assert found.norms == pytest.approx(norms, rel=1e-12)
    assert found.alignment == pytest.approx(float(product) / math.prod(norms), rel=1e-12)


class Residual(nn.Sequential):
    """A sequence of layers, and what it is given added to what comes out."""

    def forward(self, input: Tensor) -> Tensor:  # the name that nn.Sequential gives it
        return input + super().forward(input)


def test_a_sequence_with_a_forward_of_its_own_is_one_layer() -> None:
    torch.manual_seed(0)
    layers = nn.Linear(4, 4), nn.Tanh(), Residual(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)), nn.Linear(4, 4)
    data = X, torch.zeros(5, 4, dtype=F64)
    objective = Objective.from_module(nn.Sequential(*layers).double(), nn.MSELoss(), data)
    first, tanh, block, last = layers
    norms = []
    for x in X:
        J2 = jacobian(lambda z: block(tanh(z)), first(x).detach())
        norms.append([float(torch.linalg.matrix_norm(J, 2)) for J in (J2, last.weight.detach())])
    found = jacobian_alignment(objective, objective.start)
    assert found.norms == pytest.approx([sum(n) / 5 for n in zip(*norms, strict=True)], rel=1e-12)
    alone = Objective.from_module(Residual(*layers), nn.MSELoss(), data)
    with pytest.raises(ObjectiveError, match=r"the layers of a Residual: .*Make the module a torch\.nn"):
        jacobian_alignment(alone, alone.start)


def test_a_convolutional_network() -> None:
    torch.manual_seed(0)
    first, second, last = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 3), nn.Linear(3, 2)
    module = nn.Sequential(first, nn.Tanh(), second, nn.AvgPool2d(2), nn.Flatten(), last).double()
    x = _randn(3, 1, 6, 6, seed=2)
    objective = Objective.from_module(module, nn.CrossEntropyLoss(), (x, torch.tensor([0, 1, 1])))
    ratios = []
    for sample in x.split(1):
        z1 = first(sample).detach()
        z2 = second(z1.tanh()).detach()
        J2 = jacobian(lambda z: second(z.tanh()).reshape(-1), z1).reshape(z2.numel(), -1)
        J3 = jacobian(lambda z: last(nn.functional.avg_pool2d(z, 2).flatten(1)).reshape(-1), z2).reshape(2, -1)
        norm = lambda J: float(torch.linalg.matrix_norm(J, 2))  # noqa: E731
        ratios.append(norm(J3 @ J2) / norm(J3) / norm(J2))
    assert jacobian_alignment(objective, objective.start).alignment == pytest.approx(sum(ratios) / 3, rel=1e-12)


def test_the_share_of_the_gauss_newton_matrix() -> None:
    # f(x) = abx with target y: the Hessian of mean (abx − y)² is known, G is the same with the residual left out.
    a, b = 1.5, 0.5
    objective = linear_network(
        [torch.tensor([[a]]).double(), torch.tensor([[b]]).double()], torch.tensor([[1.0]]).double()
    )
    G = 2 * torch.tensor([[b * b, a * b], [a * b, a * a]], dtype=F64)
    H = G + 2 * (a * b) * torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=F64)
    top = [float(torch.linalg.eigvalsh(matrix)[-1]) for matrix in (G, H)]
    found = gauss_newton_share(objective, objective.start, rtol=1e-10)
    assert (found.gauss_newton, found.hessian) == pytest.approx(top, rel=1e-10)
    assert found.value == pytest.approx(top[0] / top[1], rel=1e-10)
    assert found.products >= 2
    # A model that is linear in w has no other part.
    layer = nn.Linear(4, 1, dtype=F64)
    linear = Objective.from_module(layer, nn.MSELoss(), (X, torch.ones(5, 1, dtype=F64)))
    assert gauss_newton_share(linear, linear.start, rtol=1e-10).value == pytest.approx(1.0, rel=1e-9)


def test_a_hessian_that_curves_downwards_has_no_share() -> None:
    layer = nn.Linear(4, 1, dtype=F64)
    targets = torch.ones(5, 1, dtype=F64)
    objective = Objective.from_module(layer, lambda f, y: -nn.functional.mse_loss(f, y), (X, targets))
    with pytest.raises(
        SettingError, match=r"a Hessian whose largest eigenvalue is -\d.*a share of it says nothing"
    ):
        gauss_newton_share(objective, objective.start)


def test_modules_that_cannot_be_cut_are_refused() -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) + self.b(x)

    for module, sentence in [
        (Branching(), r"the layers of a Branching: .*Make the module a torch\.nn\.Sequential of its layers\."),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)),
            r"a Sequential with 2 layers that have param",
        ),
    ]:
        objective = Objective.from_module(module.double(), nn.MSELoss(), (X, torch.zeros(5, 3, dtype=F64)))
        with pytest.raises(ObjectiveError, match=sentence):
            jacobian_alignment(objective, objective.start)
    bowl = Objective.from_function(lambda w: w.square().sum(), 2)
    with pytest.raises(ObjectiveError, match="the layerwise Jacobians of a plain function"):
        jacobian_alignment(bowl, bowl.start)


def test_too_large_and_vanishing_jacobians_are_refused() -> None:
    wide = nn.Sequential(nn.Linear(1, 4097), nn.Linear(4097, 4097, bias=False), nn.Linear(4097, 1))
    data = torch.ones(1, 1), torch.zeros(1, 1)
    objective = Objective.from_module(wide, nn.MSELoss(), data, parameters=["0", "2"])
    with pytest.raises(ObjectiveError, match=r"layer 2, from 4,097 numbers to 4,097: .*narrower"):
        jacobian_alignment(objective, objective.start)
    dead = linear_network([torch.eye(2).double(), torch.zeros(2, 2).double(), torch.eye(2).double()], X[:, :2])
    with pytest.raises(SettingError, match=r"a layerwise Jacobian whose largest entry is 0: it has no direction"):
        jacobian_alignment(dead, dead.start)
    with pytest.raises(SettingError, match=r"samples=0: a mean is over something\. Type samples=32\."):
        jacobian_alignment(dead, dead.start, samples=0)
