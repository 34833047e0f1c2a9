"""Spectral density against exact moments and the exact smoothed spectrum."""

import math

import pytest
import torch
from torch.testing import assert_close

from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal, spectral_density
from reference.matrices import SPECTRA, as_operator, eigenvalues, spectrum, with_spectrum

A = with_spectrum(spectrum(8, 6, -4))


def test_moments_are_those_of_the_spectrum() -> None:
    density = spectral_density(as_operator(A), probes=100, steps=6, seed=1)
    for power in range(1, 12):  # a Gauss rule of six nodes is exact up to degree eleven
        moment, exact = density.moment(power), float((eigenvalues(A) ** power).mean())
        assert abs(float(moment.value) - exact) <= 3.5 * float(moment.standard_error)
        assert float(moment.standard_error) > 0


def test_the_density_is_the_smoothed_spectrum() -> None:
    density = spectral_density(as_operator(A), probes=60, steps=60)
    points = torch.linspace(-5, 9, 200).double()
    width = 0.3
    gaussians = torch.exp(-((points[:, None] - eigenvalues(A)) ** 2) / (2 * width**2))
    exact = gaussians.mean(dim=1) / (width * math.sqrt(2 * math.pi))
    estimate = density.grid(points, width)
    errors = (estimate.value - exact).abs()
    assert (errors <= 4 * estimate.standard_error + 1e-3).all()
    assert float(errors.max()) <= 0.05 * float(exact.max())
    assert_close(torch.trapezoid(estimate.value, points), torch.tensor(1.0).double(), rtol=1e-3, atol=0.0)


def test_weights_sum_to_one_and_nodes_lie_in_the_spectrum() -> None:
    density = spectral_density(as_operator(A), probes=3, steps=20)
    assert_close(density.weights.sum(dim=1), torch.ones(3).double())
    low, high = density.extent
    assert eigenvalues(A)[-1] - 1e-12 <= low < high <= eigenvalues(A)[0] + 1e-12


def test_printed_it_is_a_line_and_not_its_nodes() -> None:
    density = spectral_density(Diagonal(torch.arange(1.0, 5.0)), probes=2, steps=4)
    assert str(density) == "4 eigenvalues from 1 to 4, after 8 products"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_converged_eigenvalues_have_no_ghosts(dtype: torch.dtype) -> None:
    density = spectral_density(as_operator(with_spectrum(spectrum(100, 50), dtype)), probes=2, steps=60)
    for nodes in density.nodes:
        assert int((nodes > 10).sum()) == 2


def test_products_are_counted() -> None:
    operator = as_operator(A)
    assert spectral_density(operator, probes=3, steps=7).products == operator.products == 21


@pytest.mark.parametrize("name", ["all equal", "zero", "one", "two", "rank three"])
def test_a_krylov_space_that_ends_early_costs_less(name: str) -> None:
    M = with_spectrum(SPECTRA[name])
    density = spectral_density(as_operator(M), probes=4, steps=50)
    assert density.products <= 4 * 5
    for power in (1, 2):
        exact = float((eigenvalues(M) ** power).mean())
        moment = density.moment(power)
        assert abs(float(moment.value) - exact) <= 3 * float(moment.standard_error) + 1e-12


def test_the_same_seed_gives_the_same_nodes() -> None:
    first, second = (spectral_density(as_operator(A), probes=2, steps=5, seed=3) for _ in range(2))
    assert torch.equal(first.nodes, second.nodes)


@pytest.mark.parametrize(("probes", "steps"), [(1, 10), (5, 0)])
def test_too_few_probes_or_steps_are_refused(probes: int, steps: int) -> None:
    with pytest.raises(SettingError, match=r"Type probes=10, steps=50"):
        spectral_density(Diagonal(torch.ones(3)), probes=probes, steps=steps)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_a_width_that_is_not_positive_is_refused(width: float) -> None:
    density = spectral_density(Diagonal(torch.ones(3)))
    with pytest.raises(SettingError, match="Gaussian of positive width"):
        density.grid(torch.linspace(0, 1, 3), width)
