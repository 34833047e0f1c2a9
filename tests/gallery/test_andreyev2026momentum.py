"""The mode of andreyev2026momentum against heavy ball's own companion matrix, and its moments against sums."""

import numpy as np
import pytest
from scipy.stats import binom

from edgewise.gallery.andreyev2026momentum import recipe
from edgewise.methods import HeavyBall


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_moments_are_those_of_a_binomial(size: int) -> None:
    counts = np.arange(size + 1)
    weights = binom.pmf(counts, size, recipe.SHARE)
    for power in (1, 2, 3):
        assert recipe.moment(size, power) == pytest.approx(float(weights @ (counts / size) ** power), rel=1e-10)


@pytest.mark.parametrize("beta", [0.3, 0.9])
@pytest.mark.parametrize("size", [1, 30])
def test_the_edge_is_where_the_mean_square_of_heavy_ball_loses_stability(beta: float, size: int) -> None:
    """E[J ⊗ J] summed over all batches, of the method's companion matrix."""
    method, h = HeavyBall(1.0, beta), recipe.critical(beta, size)

    def radius(scale: float) -> float:
        counts = np.arange(size + 1)
        weights = binom.pmf(counts, size, recipe.SHARE)
        mean = np.zeros((4, 4))
        for weight, count in zip(weights, counts, strict=True):
            J = method.companion(float(scale * h * count / size))
            mean += weight * np.kron(J, J)
        return float(np.abs(np.linalg.eigvals(mean)).max())

    assert radius(1.0) == pytest.approx(1.0, abs=1e-9)
    assert radius(0.99) < 1 < radius(1.01)


def test_without_noise_the_edge_is_that_of_the_method() -> None:
    assert recipe.critical(0.9, 10**12) * recipe.SHARE == pytest.approx(
        float(HeavyBall(1.0, 0.9).critical_curvature), rel=1e-6
    )
