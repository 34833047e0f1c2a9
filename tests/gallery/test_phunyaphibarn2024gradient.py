"""The hand-written maps of phunyaphibarn2024gradient are heavy ball, with and without a warm-up."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.phunyaphibarn2024gradient import recipe

STEPS = 50


def advanced(objective, method):
    w, state = objective.start, method.init(objective.start)
    for _ in range(STEPS):
        w, state = method.step(w, objective.gradient(w), state)
    return w.numpy()


@pytest.mark.parametrize("beta", recipe.BETAS)
def test_the_toy_is_heavy_ball_with_the_edge_of_gradient_descent(beta):
    eta, start = recipe.STEP_SIZE, (0.1, 6.5)
    method = ew.HeavyBall((1 + beta) * eta, beta)
    assert method.critical_curvature == pytest.approx(2 / eta)
    objective = ew.Objective.from_function(
        lambda w: torch.log(torch.cosh(w[0] * w[1])), size=2, start=torch.tensor(start, dtype=torch.float64)
    )
    x, y, vx, vy = (np.array([value]) for value in (*start, 0.0, 0.0))
    for _ in range(STEPS):
        x, y, vx, vy = recipe.heavy_ball(beta, eta)(x, y, vx, vy)
    # Unstable steps multiply rounding, by less than 10⁴ here.
    np.testing.assert_allclose([x[0], y[0]], advanced(objective, method), rtol=1e-11)


def network(covariance, truth):
    C, goal = torch.tensor(covariance), torch.tensor(truth)

    def loss(w):
        u, v = w.chunk(2)
        error = u**2 - v**2 - goal
        return error @ C @ error / 4

    start = torch.full((2 * recipe.WIDTH,), recipe.ALPHA, dtype=torch.float64)
    return ew.Objective.from_function(loss, 2 * recipe.WIDTH, start=start)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2, recipe.SAMPLES, recipe.WIDTH))
    truth = np.zeros((2, recipe.WIDTH))
    truth[:, : recipe.NONZERO] = 1.0
    return X.transpose(0, 2, 1) @ X / recipe.SAMPLES, truth


@pytest.mark.parametrize("beta", recipe.DIAGONAL_BETAS)
def test_the_network_is_heavy_ball_on_the_squares(data, beta):
    covariance, truth = data
    eta = np.full((STEPS, 2, 1), 0.02)
    way = recipe.descend(covariance, truth, np.full((2, 2, 1, recipe.WIDTH), recipe.ALPHA), eta, beta)
    for i in range(2):
        objective = network(covariance[i], truth[i])
        expected = advanced(objective, ew.HeavyBall((1 + beta) * 0.02, beta))
        np.testing.assert_allclose(np.concatenate(way.weights[:, i, 0]), expected, rtol=1e-10)
        assert way.losses[0, i, 0] == pytest.approx(float(objective.value(objective.start)), rel=1e-12)


def test_a_rising_step_size_is_a_warm_up(data):
    covariance, truth = data
    beta, top, share, steps = 0.9, 0.02, recipe.FIRST_SHARE, 40
    rising = np.minimum(share + (1 - share) * np.arange(STEPS) / steps, 1.0)
    start = np.full((2, 1, 1, recipe.WIDTH), recipe.ALPHA)
    way = recipe.descend(covariance[:1], truth[:1], start, top * rising[:, None, None], beta)
    method = ew.HeavyBall(ew.Warmup((1 + beta) * top, steps, initial=(1 + beta) * top * share), beta)
    expected = advanced(network(covariance[0], truth[0]), method)
    np.testing.assert_allclose(np.concatenate(way.weights[:, 0, 0]), expected, rtol=1e-10)


def test_the_sharpness_is_that_of_the_hessian(data):
    covariance, truth = data
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal((2, 2, 1, recipe.WIDTH))
    v[1] = np.inf
    found = recipe.sharpness(covariance, truth, u, v)
    objective = network(covariance[0], truth[0])
    w = torch.tensor(np.concatenate([u[0, 0], v[0, 0]]))
    dense = ew.Hessian(objective, w) @ torch.eye(2 * recipe.WIDTH, dtype=torch.float64)
    assert found[0, 0] == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=1e-12)
    assert np.isnan(found[1, 0])
