import pytest
import torch

from edgewise.curvature import EffectiveHessian, Hessian
from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal


def test_it_has_the_eigenvalues_of_the_inverse_preconditioner_times_the_hessian(build, dense):
    setting = build("mlp, cross-entropy")
    hessian = Hessian(setting.objective(), setting.w)
    preconditioner = torch.linspace(0.1, 3.0, hessian.size, dtype=torch.float64)
    effective = dense(EffectiveHessian(hessian, preconditioner))
    root = preconditioner.sqrt()
    torch.testing.assert_close(effective, setting.hessian / root / root[:, None], rtol=1e-10, atol=1e-12)
    unsymmetric = torch.linalg.eigvals(setting.hessian / preconditioner[:, None]).real.sort().values
    torch.testing.assert_close(torch.linalg.eigvalsh(effective), unsymmetric, rtol=1e-8, atol=1e-12)


def test_one_product_costs_one_of_the_hessian():
    hessian = Diagonal(torch.tensor([8.0, 1.0]))
    effective = EffectiveHessian(hessian, preconditioner=torch.tensor([4.0, 1.0]))
    assert torch.equal(effective @ torch.ones(2), torch.tensor([2.0, 1.0]))
    effective @ torch.ones(2, 3)
    assert effective.products == hessian.products == 4


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_entries_that_are_not_positive_and_finite_are_refused(bad):
    with pytest.raises(SettingError, match=r"a preconditioner with 1 entries .*\+ 1e-8"):
        EffectiveHessian(Diagonal(torch.ones(3)), torch.tensor([1.0, bad, 1.0]))


@pytest.mark.parametrize("wrong", [torch.ones(2), torch.ones(3, dtype=torch.float64)])
def test_a_preconditioner_that_does_not_fit_is_refused(wrong):
    with pytest.raises(SettingError, match=r"the operator acts on \(3,\), torch.float32"):
        EffectiveHessian(Diagonal(torch.ones(3)), wrong)
