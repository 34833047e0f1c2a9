"""The sharpness dimension of tuci2026generalization on spectra of which it is known."""

import numpy as np
import pytest

from edgewise.gallery.tuci2026generalization import recipe


def test_the_dimension_is_that_of_kaplan_and_yorke() -> None:
    # One direction doubles, one is divided by four: the balance is a half of the second.
    assert recipe.sharpness_dimension(np.log([2.0, 0.25])) == pytest.approx(1.5, abs=1e-12)
    assert recipe.sharpness_dimension(np.array([1.0, 0.5, -0.5, -2.0])) == pytest.approx(3.5, abs=1e-12)


def test_it_is_zero_where_all_contracts_and_all_where_nothing_does() -> None:
    assert recipe.sharpness_dimension(np.array([-0.1, -0.2])) == 0.0
    assert recipe.sharpness_dimension(np.array([0.3, 0.2, -0.4])) == 3.0


def test_a_density_that_is_exact_gives_the_spectrum_back() -> None:
    values = np.array([0.3, 2.0, 1.0, 1.0, 0.7])
    assert recipe.quantiles(values, np.full(5, 0.2), 5).tolist() == sorted(values, reverse=True)
    # A rule of fewer nodes: as many of each as its weight is worth.
    assert recipe.quantiles(np.array([1.0, 3.0]), np.array([0.75, 0.25]), 8).tolist() == [3.0] * 2 + [1.0] * 6
