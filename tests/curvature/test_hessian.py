import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from edgewise.curvature import GaussNewton, Hessian
from edgewise.foundation import ObjectiveError, SettingError
from edgewise.linalg import eigenpairs
from edgewise.objectives import Objective


@pytest.mark.parametrize("chunk_size", [1, 7, None])
def test_it_is_the_matrix_of_second_derivatives(setting, action, chunk_size):
    found, expected = action(Hessian(setting.objective(chunk_size), setting.w), setting.hessian)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_float32_stays_within_its_rounding_of_float64(setting, action):
    objective = setting.objective().to(torch.float32)
    found, expected = action(Hessian(objective, setting.w.float()), setting.hessian)
    assert found.dtype == torch.float32
    # The depth of the computation times the rounding unit: a few hundred operations lie between w and H v.
    assert (found.double() - expected).norm() < 500 * torch.finfo(torch.float32).eps * expected.norm()


def test_a_shared_point_serves_gradient_and_products_from_one_graph(build):
    setting = build("mlp, cross-entropy")
    objective = setting.objective()
    point = objective.at(setting.w)
    gradient = point.gradient
    hessian = Hessian.at(point)
    v = torch.ones(hessian.size, dtype=torch.float64)
    product = hessian @ v
    assert hessian.point is point
    assert (hessian.products, point.products) == (1, 1)
    assert torch.equal(point.gradient, gradient)
    assert torch.equal(product, Hessian(objective, setting.w) @ v)


def test_products_are_counted_by_the_operator_and_by_its_point(build):
    setting = build("mlp, MSE")
    hessian = Hessian(setting.objective(), setting.w)
    hessian @ torch.ones(hessian.size, 3, dtype=torch.float64)
    hessian @ torch.ones(hessian.size, dtype=torch.float64)
    assert hessian.products == hessian.point.products == 4


def test_scipy_finds_the_same_extreme_eigenvalues(setting):
    hessian = Hessian(setting.objective(), setting.w)
    expected = torch.linalg.eigvalsh(setting.hessian)
    v0 = np.random.default_rng(0).standard_normal(hessian.size)
    for which, value in (("LA", expected[-1]), ("SA", expected[0])):
        found = eigsh(hessian.to_scipy(), k=1, which=which, v0=v0, return_eigenvectors=False)
        assert found[0] == pytest.approx(float(value), rel=1e-8, abs=1e-12)


def test_the_eigensolver_finds_the_largest_algebraic_eigenvalues(build):
    setting = build("attention, tokens")
    pairs = eigenpairs(Hessian(setting.objective(chunk_size=4), setting.w), k=3, rtol=1e-8, seed=0)
    expected = torch.linalg.eigvalsh(setting.hessian).flip(0)[:3]
    torch.testing.assert_close(pairs.values.double(), expected, rtol=1e-7, atol=0.0)


def test_sums_and_multiples_of_curvatures_are_operators(build, dense):
    setting = build("mlp, MSE")
    objective = setting.objective()
    hessian, gauss_newton = Hessian(objective, setting.w), GaussNewton(objective, setting.w)
    second_order = hessian + (-1.0) * gauss_newton  # Σ ∂ℓ/∂f ∇²f: what the linearisation leaves out
    expected = setting.hessian - setting.gauss_newton
    torch.testing.assert_close(dense(second_order), expected, rtol=1e-10, atol=1e-12)
    assert hessian.products == gauss_newton.products == objective.size


def test_a_plain_function_has_a_hessian(dense):
    objective = Objective.from_function(lambda w: (w**3).sum() + w[0] * w[1], size=2)
    hessian = Hessian(objective, torch.tensor([1.0, 2.0], dtype=torch.float64))
    expected = torch.tensor([[6.0, 1.0], [1.0, 12.0]], dtype=torch.float64)
    torch.testing.assert_close(dense(hessian), expected)


def test_a_point_or_a_vector_that_does_not_fit_is_refused(build):
    setting = build("mlp, MSE")
    objective = setting.objective()
    with pytest.raises(ObjectiveError, match=r"a point of shape \(3,\).*objective.start.clone"):
        Hessian(objective, torch.zeros(3, dtype=torch.float64))
    with pytest.raises(SettingError, match=r"a product of Hessian\(size=26.*multiplies torch.float64"):
        Hessian(objective, setting.w) @ torch.zeros(26)
