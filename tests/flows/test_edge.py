"""The linearised edge against the curvature where a small displacement leads, by dense matrices."""

import pytest
import torch

from edgewise.flows.central.edge import Edge, gram, slopes_of, symmetric, weighed
from edgewise.flows.central.second_moment import second_moment
from edgewise.flows.central.stiff_modes import StiffModes
from edgewise.methods import GradientDescent, RMSProp, ScalarRMSProp
from reference.runs import network

METHODS = [GradientDescent(0.4), ScalarRMSProp(0.4, 0.9, 1e-3), RMSProp(0.05, 0.8, 1e-2)]


def dense_hessian(objective, w):
    point = objective.at(w)
    return point.hvp_block(torch.eye(objective.size, dtype=torch.float64))


def stand(method, followed=4):
    """A network, a second moment that differs from its source, and its stiffest modes."""
    objective = network()
    w = objective.start
    moment, eta = second_moment(method), float(method.lr)
    point = objective.at(w)
    nu = 1.3 * moment.begin(point.gradient)
    metric = moment.metric(nu, eta)
    H = dense_hessian(objective, w)
    root = metric.sqrt().expand(objective.size)
    values, vectors = torch.linalg.eigh(H / root[:, None] / root)
    stiff = StiffModes(
        curvatures=values.flip(0)[:followed],
        directions=vectors.flip(1)[:, :followed] / root[:, None],
        metric=metric,
    )
    return objective, point, moment, nu, eta, stiff


def edge_of(point, stiff, k, moment, nu, eta, time):
    return Edge.at(point.gradient, stiff, slopes_of(stiff.directions[:, :k], point), k, moment, nu, eta, time)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_to_first_order_it_is_the_curvature_after_the_displacement(method):
    k = 3
    objective, point, moment, nu, eta, stiff = stand(method)
    X = torch.tensor([[2.0, 0.3, -0.2], [0.3, 1.0, 0.4], [-0.2, 0.4, 1.5]]).double() * 0.05
    U, g = stiff.directions[:, :k], point.gradient

    def error(time):
        edge = edge_of(point, stiff, k, moment, nu, eta, time)
        free = -stiff.relax(g, time)
        start = 2 - stiff.curvatures[:k]
        # Far above the edge the return to it is limited; here the true distance is compared.
        distance = edge.distance + torch.diag(start - torch.maximum(start, time * (start / 2).clamp_max(-0.1)))
        linear = distance - symmetric(edge.slopes @ free, k) + torch.einsum("ijkl,kl->ij", edge.response, X)
        push = -stiff.relax(weighed(X, edge.slopes) / 2, time)
        later_nu = nu + moment.renewed(time) * (moment.product(g, g) + weighed(X, edge.moments) - nu)
        P = moment.metric(later_nu, eta).expand(objective.size)
        H = dense_hessian(objective, point.w + free + push)
        exact = U.T @ (2 * torch.diag(P) - H) @ U
        return float((linear - exact).norm() / (exact - torch.diag(start)).norm())

    errors = [error(time) for time in (4e-4, 2e-4, 1e-4)]
    assert errors[-1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.2)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_the_response_is_symmetric_and_positive_semidefinite(method):
    k = 3
    _, point, moment, nu, eta, stiff = stand(method)
    B = edge_of(point, stiff, k, moment, nu, eta, 1.0).response
    torch.testing.assert_close(B, B.permute(2, 3, 0, 1))
    torch.testing.assert_close(B, B.permute(1, 0, 2, 3))
    values = torch.linalg.eigvalsh(B.reshape(k * k, k * k))
    assert float(values[0]) >= -1e-10 * float(values[-1])


def test_the_oscillation_adds_the_third_derivative_along_its_covariance():
    objective, point, moment, nu, eta, stiff = stand(GradientDescent(0.4))
    edge = edge_of(point, stiff, 2, moment, nu, eta, 1.0)
    X = torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double()
    sigma = stiff.directions[:, :2] @ X @ stiff.directions[:, :2].T
    step = 1e-4
    expected = torch.zeros(objective.size).double()
    values, vectors = torch.linalg.eigh(sigma)
    for value, v in zip(values[-2:], vectors.T[-2:], strict=True):
        second = (
            objective.gradient(point.w + step * v) + objective.gradient(point.w - step * v) - 2 * point.gradient
        )
        expected += value * second / step**2
    torch.testing.assert_close(weighed(X, edge.slopes), expected, rtol=1e-4, atol=1e-6)
    assert point.third_products == 3


def test_the_moment_of_the_oscillation_is_the_square_of_its_gradient():
    # 4 Σ Xᵢⱼ (P uᵢ)∘(P uⱼ) = diag(HΣH) where H u = 2P u.
    _, point, moment, nu, eta, stiff = stand(RMSProp(0.05, 0.8, 1e-2))
    edge = edge_of(point, stiff, 2, moment, nu, eta, 1.0)
    X = torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double()
    U = stiff.directions[:, :2]
    HU = 2 * stiff.metric[:, None] * U
    torch.testing.assert_close(weighed(X, edge.moments), (HU @ X @ HU.T).diagonal())


@pytest.mark.parametrize(("eta", "time", "expected"), [(2.0, 0.5, -0.5), (2.0, 1.0, -1.0), (1.0, 1.0, -0.1)])
def test_modes_above_the_edge_come_back_bit_by_bit(eta, time, expected):
    _, point, moment, nu, _, stiff = stand(GradientDescent(eta))
    above = {2.0: 2.0, 1.0: 0.15}[eta]
    stiff = StiffModes(
        curvatures=torch.tensor([2 + above]).double(), directions=stiff.directions[:, :1], metric=stiff.metric
    )
    assert edge_of(point, stiff, 1, moment, nu, eta, time).distance.item() == pytest.approx(expected)


def test_upper_triangles_become_symmetric_matrices_and_their_products():
    entries = torch.tensor([1.0, 2, 3]).double()
    matrix = torch.tensor([[1.0, 2], [2, 3]]).double()
    assert torch.equal(symmetric(entries, 2), matrix)
    rows = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).double()
    full = symmetric(rows, 2)
    torch.testing.assert_close(gram(rows, rows, 2), torch.einsum("ijn,kln->ijkl", full, full))
    torch.testing.assert_close(weighed(matrix, rows), torch.einsum("ij,ijn->n", matrix, full))
