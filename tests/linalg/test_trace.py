"""Trace and diagonal: exact where they should be, unbiased, and honest about their error."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from edgewise.foundation import SettingError
from edgewise.linalg import Estimate, Operator, diagonal, trace
from reference.matrices import as_operator, spectrum, with_spectrum

SPECTRA = {
    "flat": torch.linspace(-1, 2, 120).double(),
    "slow": 1 / torch.arange(1, 121).double(),
    "fast": 0.9 ** torch.arange(120).double(),
    "outliers": spectrum(100, 50, 20, bulk=117, low=-0.1, high=0.1),
}
both = pytest.mark.parametrize("estimator", [trace, diagonal])
each_spectrum = pytest.mark.parametrize("name", SPECTRA)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def value(estimate: Estimate) -> Tensor:
    return torch.as_tensor(estimate.value, dtype=torch.float64)


def standard_error(estimate: Estimate) -> Tensor:
    return torch.as_tensor(estimate.standard_error, dtype=torch.float64)


def truth(estimator: Callable[..., Estimate], A: Tensor) -> Tensor:
    return A.trace() if estimator is trace else A.diagonal()


@both
@each_spectrum
def test_estimates_are_unbiased_and_their_errors_honest(estimator: Callable[..., Estimate], name: str) -> None:
    A = with_spectrum(SPECTRA[name])
    seeds = 150
    estimates = [estimator(as_operator(A), products=24, seed=seed) for seed in range(seeds)]
    errors = torch.stack([value(e) for e in estimates]) - truth(estimator, A)
    claimed = torch.stack([standard_error(e) for e in estimates])
    actual = errors.square().mean().sqrt()
    assert (errors.mean(0).abs() <= 4.5 * errors.std(0) / seeds**0.5).all()
    assert 0.8 * actual <= claimed.square().mean().sqrt() <= 1.7 * actual
    assert 0.9 <= float((errors.abs() <= 2 * claimed).double().mean()) <= 1


@both
@dtypes
@pytest.mark.parametrize("rank", [0, 1, 3, 11])
def test_low_rank_is_exact(estimator: Callable[..., Estimate], rank: int, dtype: torch.dtype) -> None:
    values = torch.zeros(80).double()
    values[:rank] = torch.linspace(5, -3, rank).double()
    A = with_spectrum(values, dtype)
    estimate = estimator(as_operator(A), products=24)
    errors = (value(estimate) - truth(estimator, A.double())).abs()
    assert float(errors.max()) <= 100 * torch.finfo(dtype).eps * 5
    assert estimate.products <= 24


@both
def test_with_as_many_products_as_the_size_it_is_exact(estimator: Callable[..., Estimate]) -> None:
    A = with_spectrum(SPECTRA["flat"])
    operator = as_operator(A)
    estimate = estimator(operator, products=500)
    torch.testing.assert_close(value(estimate), truth(estimator, A), rtol=1e-12, atol=1e-12)
    assert not standard_error(estimate).any()
    assert estimate.products == operator.products == 120


@each_spectrum
def test_decay_is_exploited(name: str) -> None:
    """Against averaging vᵀ A v with the same products, whose variance is 2 ‖A‖² / products."""
    A = with_spectrum(SPECTRA[name])
    estimates = [float(trace(as_operator(A), products=40, seed=seed).value) for seed in range(40)]
    error = float((torch.tensor(estimates).double() - A.trace()).square().mean().sqrt())
    averaging = float((2 * A.square().sum() / 40).sqrt())
    assert error <= {"flat": 1.3, "slow": 0.3, "fast": 0.6, "outliers": 0.02}[name] * averaging


@both
def test_products_are_counted(estimator: Callable[..., Estimate]) -> None:
    operator: Operator = as_operator(with_spectrum(SPECTRA["slow"]))
    estimate = estimator(operator, products=25)
    assert estimate.products == operator.products == 24
    assert estimate.samples == 12


@both
def test_the_same_seed_gives_the_same_estimate(estimator: Callable[..., Estimate]) -> None:
    A = with_spectrum(SPECTRA["slow"])
    first, second, other = (estimator(as_operator(A), products=10, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(value(first), value(second))
    assert not torch.equal(value(first), value(other))


@both
def test_fewer_than_four_products_are_refused(estimator: Callable[..., Estimate]) -> None:
    with pytest.raises(SettingError, match=r"products=3: a standard error takes two random vectors"):
        estimator(as_operator(with_spectrum(SPECTRA["slow"])), products=3)
