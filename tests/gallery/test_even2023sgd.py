"""The hand-written descents of even2023sgd are gradient descent and SGD on u ⊙ v, and obey its identities."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.even2023sgd import recipe

STEPS, GAMMA = 50, 0.2


@pytest.fixture(scope="module")
def data():
    return recipe.regression(np.random.default_rng(0), 2)


def objective(X, truth, samples=slice(None)):
    X, truth = torch.tensor(X), torch.tensor(truth)

    def loss(w):
        u, v = w.chunk(2)
        return ((X @ (u * v - truth))[samples] ** 2).mean() / 2

    start = torch.cat(
        [
            torch.full((recipe.WIDTH,), 2**0.5 * recipe.ALPHA, dtype=torch.float64),
            torch.zeros(recipe.WIDTH).double(),
        ]
    )
    return ew.Objective.from_function(loss, 2 * recipe.WIDTH, start=start)


@pytest.mark.parametrize("method", ["gd", "sgd"])
def test_the_map_is_descent_on_the_factors(data, method):
    X, truth = data
    drawn = np.random.default_rng(1).integers(recipe.SAMPLES, size=(STEPS, 2 if method == "sgd" else 0))
    gamma = np.array([[GAMMA, GAMMA / 4], [GAMMA, GAMMA / 4]])
    (u, v), _ = recipe.descend(X, truth, gamma, drawn)
    for i, j in ((0, 0), (1, 1)):
        descent = ew.GradientDescent(float(gamma[i, j]))
        whole = objective(X[i], truth[i])
        w, state = whole.start, descent.init(whole.start)
        for t in range(STEPS):
            now = objective(X[i], truth[i], slice(drawn[t, i], drawn[t, i] + 1)) if method == "sgd" else whole
            w, state = descent.step(w, now.gradient(w), state)
        np.testing.assert_allclose(np.concatenate([u[i, j], v[i, j]]), w.numpy(), rtol=1e-11, atol=1e-14)


def test_the_loss_and_its_sharpness_are_those_of_the_factors(data):
    X, truth = data
    rng = np.random.default_rng(2)
    u, v = rng.standard_normal((2, 2, 1, recipe.WIDTH))
    for i in range(2):
        whole, w = objective(X[i], truth[i]), torch.tensor(np.concatenate([u[i, 0], v[i, 0]]))
        assert recipe.loss(X, truth, u, v)[i, 0] == pytest.approx(float(whole.value(w)), rel=1e-12)
        dense = ew.Hessian(whole, w) @ torch.eye(2 * recipe.WIDTH, dtype=torch.float64)
        top = float(torch.linalg.eigvalsh(dense)[-1])
        assert recipe.sharpness(X, truth, u, v)[i, 0] == pytest.approx(top, rel=1e-12)


def test_the_gain_is_what_the_initialisation_has_lost(data):
    X, truth = data
    (u, v), gain = recipe.descend(X, truth, np.full((2, 1), GAMMA), np.zeros((STEPS, 0), dtype=np.intp))
    left = np.abs(u**2 - v**2) / (2 * recipe.ALPHA**2)
    assert gain.max() > 0.1
    np.testing.assert_allclose(left, np.exp(-gain), atol=1e-12)


def test_what_diverges_has_no_sharpness(data):
    X, truth = data
    (u, v), _ = recipe.descend(X, truth, np.array([[GAMMA, 100.0]] * 2), np.zeros((STEPS, 0), dtype=np.intp))
    found = recipe.sharpness(X, truth, u, v)
    assert np.isfinite(found[:, 0]).all()
    assert np.isnan(found[:, 1]).all()
