import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from edgewise.curvature import NTK, GaussNewton
from edgewise.foundation import ObjectiveError
from edgewise.objectives import Objective


@pytest.mark.parametrize("chunk_size", [1, 7, None])
def test_it_is_the_gram_matrix_of_the_jacobian(setting, action, chunk_size):
    jacobian = setting.jacobian
    kernel = NTK(setting.objective(chunk_size), setting.w)
    assert kernel.size == setting.outputs(setting.w).numel()
    found, expected = action(kernel, jacobian @ jacobian.T)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_rows_are_sample_by_sample_and_within_a_sample_output_by_output():
    # f(x) = W x with ∇f_a(x) = e_a ⊗ x, so that K[(i, a), (j, b)] = δ_ab x_i · x_j
    x = torch.tensor([[1.0, 0.0], [1.0, 2.0], [3.0, 1.0]], dtype=torch.float64)
    module = torch.nn.Linear(2, 2, bias=False).double()
    objective = Objective.from_module(module, torch.nn.MSELoss(), (x, torch.zeros(3, 2).double()), chunk_size=2)
    kernel = NTK(objective, objective.start)
    expected = torch.kron(x @ x.T, torch.eye(2).double())
    torch.testing.assert_close(kernel @ torch.eye(6).double(), expected)


def test_its_nonzero_eigenvalues_over_n_are_those_of_gauss_newton(build, dense):
    setting = build("mlp, MSE")
    n, outputs = setting.targets.shape
    kernel = torch.linalg.eigvalsh(dense(NTK(setting.objective(), setting.w)))
    gauss_newton = torch.linalg.eigvalsh(dense(GaussNewton(setting.objective(), setting.w)))
    rank = min(kernel.numel(), gauss_newton.numel())
    # L is the mean over n × outputs elements of (f − y)², whose second derivative is 2.
    expected = 2 / (n * outputs) * kernel.flip(0)[:rank]
    torch.testing.assert_close(gauss_newton.flip(0)[:rank], expected, rtol=1e-9, atol=1e-13)


def test_scipy_finds_the_same_largest_eigenvalue(build):
    setting = build("attention, tokens")
    kernel = NTK(setting.objective(chunk_size=4), setting.w)
    v0 = np.random.default_rng(0).standard_normal(kernel.size)
    found = eigsh(kernel.to_scipy(), k=2, which="LA", v0=v0, return_eigenvectors=False)
    expected = torch.linalg.eigvalsh(setting.jacobian @ setting.jacobian.T)[-2:]
    np.testing.assert_allclose(np.sort(found), expected.numpy(), rtol=1e-9)


def test_float32_stays_within_its_rounding_of_float64(setting, action):
    jacobian = setting.jacobian
    kernel = NTK(setting.objective().to(torch.float32), setting.w.float())
    found, expected = action(kernel, jacobian @ jacobian.T)
    assert found.dtype == torch.float32
    assert (found.double() - expected).norm() < 500 * torch.finfo(torch.float32).eps * expected.norm()


def test_products_are_counted(build):
    setting = build("mlp, MSE")
    kernel = NTK(setting.objective(), setting.w)
    kernel @ torch.ones(kernel.size, 2, dtype=torch.float64)
    kernel @ torch.ones(kernel.size, dtype=torch.float64)
    assert kernel.products == 3


def test_outputs_that_do_not_depend_on_w_have_no_kernel():
    class Constant(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, x):
            return x

    objective = Objective.from_module(Constant(), torch.nn.MSELoss(), (torch.ones(2, 1).double(),) * 2)
    kernel = NTK(objective, objective.start)
    assert torch.equal(kernel @ torch.ones(2).double(), torch.zeros(2).double())


def test_a_plain_function_is_refused():
    objective = Objective.from_function(lambda w: (w**2).sum(), size=2)
    with pytest.raises(ObjectiveError, match="the NTK of a plain function"):
        NTK(objective, objective.start)
