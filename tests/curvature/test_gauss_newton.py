import pytest
import torch
from torch import nn

from edgewise.curvature import GaussNewton, Hessian
from edgewise.foundation import ObjectiveError
from edgewise.objectives import Objective


@pytest.mark.parametrize("chunk_size", [1, 7, None])
def test_it_is_jacobian_criterion_hessian_jacobian(setting, action, chunk_size):
    found, expected = action(GaussNewton(setting.objective(chunk_size), setting.w), setting.gauss_newton)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_float32_stays_within_its_rounding_of_float64(setting, action):
    objective = setting.objective().to(torch.float32)
    found, expected = action(GaussNewton(objective, setting.w.float()), setting.gauss_newton)
    assert found.dtype == torch.float32
    assert (found.double() - expected).norm() < 500 * torch.finfo(torch.float32).eps * expected.norm()


@pytest.mark.parametrize("criterion", [nn.MSELoss(), nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()])
def test_it_is_the_hessian_of_a_linear_model(dense, criterion):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(8, 3, dtype=torch.float64, generator=generator)
    targets = torch.rand(8, 2, dtype=torch.float64, generator=generator).softmax(1)
    objective = Objective.from_module(nn.Linear(3, 2).double(), criterion, (inputs, targets))
    gauss_newton, hessian = GaussNewton(objective, objective.start), Hessian(objective, objective.start)
    torch.testing.assert_close(dense(gauss_newton), dense(hessian), rtol=1e-12, atol=1e-15)


def test_least_squares_in_closed_form(dense):
    # L = mean (w·x − y)²: G = 2/n Σ x xᵀ
    inputs = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    module = nn.Linear(2, 1, bias=False).double()
    objective = Objective.from_module(module, nn.MSELoss(), (inputs, torch.zeros(4, 1).double()), chunk_size=3)
    expected = torch.tensor([[5.5, 0.0], [0.0, 3.5]], dtype=torch.float64)
    torch.testing.assert_close(dense(GaussNewton(objective, objective.start)), expected)


def test_normalisation_over_a_ghost_batch_goes_through_forward_mode(dense):
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1)).double()
    inputs = torch.randn(8, 2, dtype=torch.float64, generator=generator)
    objective = Objective.from_module(module, nn.MSELoss(), (inputs, torch.zeros(8, 1).double()), ghost_batch=4)
    w = objective.start

    def outputs(w: torch.Tensor) -> torch.Tensor:
        return torch.cat([chunk.outputs(w).reshape(-1) for chunk in objective.terms.chunks()])

    step, basis = 1e-5, torch.eye(objective.size, dtype=torch.float64)
    columns = [(outputs(w + step * e) - outputs(w - step * e)) / (2 * step) for e in basis]
    jacobian = torch.stack(columns, 1).detach()
    expected = 2 / 8 * jacobian.T @ jacobian
    # Central differences: step² times a third derivative of order one.
    torch.testing.assert_close(dense(GaussNewton(objective, w)), expected, rtol=1e-7, atol=1e-8)


def test_it_is_zero_for_a_criterion_that_is_linear_in_the_outputs(dense):
    module = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).double()
    data = torch.ones(3, 2).double(), torch.ones(3, 2).double()
    objective = Objective.from_module(module, lambda f, y: (f * y).mean(), data)
    assert torch.equal(dense(GaussNewton(objective, objective.start)), torch.zeros(6, 6).double())


def test_products_are_counted_and_nothing_is_kept_in_w(build):
    setting = build("mlp, MSE")
    w = setting.w
    before = w.clone()
    operator = GaussNewton(setting.objective(), w)
    product = operator @ torch.ones(operator.size, 2, dtype=torch.float64)
    assert operator.products == 2
    assert torch.equal(w, before) and not w.requires_grad and not product.requires_grad


def test_a_plain_function_is_refused():
    objective = Objective.from_function(lambda w: (w**2).sum(), size=2)
    with pytest.raises(ObjectiveError) as caught:
        GaussNewton(objective, objective.start)
    assert str(caught.value) == (
        "the Gauss–Newton matrix of a plain function: it is made of the model's outputs and the criterion, and a "
        "function shows only their composition. Type Objective.from_module(module, criterion, data), or use "
        "Hessian(objective, w)."
    )


class _Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x), x


def test_outputs_that_are_not_one_tensor_are_refused():
    data = torch.ones(3, 2), torch.zeros(3, 2)
    objective = Objective.from_module(_Pair(), lambda outputs, y: ((outputs[0] - y) ** 2).mean(), data)
    with pytest.raises(ObjectiveError, match=r"a _Pair whose outputs are a tuple: .*one tensor\. Wrap the module"):
        GaussNewton(objective, objective.start)


def test_a_point_that_does_not_fit_is_refused(build):
    with pytest.raises(ObjectiveError, match="a point of shape"):
        GaussNewton(build("mlp, MSE").objective(), torch.zeros(2, dtype=torch.float64))
