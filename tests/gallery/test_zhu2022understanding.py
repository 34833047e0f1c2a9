"""The maps of the minimalist example are gradient descent, its sharpness is that of the Hessian."""

import numpy as np
import pytest
import torch

from edgewise import GradientDescent, Hessian, Objective
from edgewise.gallery.zhu2022understanding import network, toys
from edgewise.linalg import eigenpairs


def four(w):
    return (1 - w[0] ** 2 * w[1] ** 2) ** 2 / 4


def two(w):
    return (1 - w[0] * w[1]) ** 2 / 2


def product(w):
    return (1 - w.prod()) ** 2 / 2


def descend(function, start, lr, steps):
    """The iterates of the library's gradient descent, as rows."""
    w = torch.tensor(start, dtype=torch.float64)
    objective, method = Objective.from_function(function, len(w), start=w), GradientDescent(lr)
    state, path = method.init(w), [w]
    for _ in range(steps):
        w, state = method.step(w, objective.gradient(w), state)
        path.append(w)
    return torch.stack(path).numpy()


def top(function, w):
    """The largest eigenvalue of the dense Hessian."""
    return float(torch.linalg.eigvalsh(torch.autograd.functional.hessian(function, torch.from_numpy(w)))[-1])


@pytest.mark.parametrize(("degree", "function"), [(4, four), (2, two)])
def test_the_maps_are_gradient_descent(degree, function):
    run = toys.trajectories(starts=((2.5, 0.4001), (1.2, 0.3)), lrs=(0.2, 0.1), steps=50, degree=degree)
    for i, start in enumerate(((2.5, 0.4001), (1.2, 0.3))):
        for j, lr in enumerate((0.2, 0.1)):
            one = run.isel(start=i, lr=j)
            wanted = descend(function, start, lr, 50)
            # Above the edge a difference of rounding grows, here by less than 1.6 a step over fifty steps.
            np.testing.assert_allclose(np.stack([one["x"], one["y"]], axis=-1), wanted, rtol=1e-6)
            losses = [float(function(torch.from_numpy(w))) for w in wanted]
            np.testing.assert_allclose(one["loss"], losses, rtol=1e-5, atol=1e-13)


def test_four_factors_equal_in_pairs_are_the_map_of_two():
    # ½(1 − xyzw)² has twice the gradient in x that ¼(1 − x²y²)² has in one of the pair: the same for each.
    wanted = descend(product, (2.5, 0.4001, 2.5, 0.4001), 0.2, 30)
    run = toys.trajectories(starts=((2.5, 0.4001),), lrs=(0.2,), steps=30).isel(start=0, lr=0)
    np.testing.assert_allclose(run["x"], wanted[:, 0], rtol=1e-8)
    np.testing.assert_allclose(run["y"], wanted[:, 3], rtol=1e-8)


def test_the_sharpness_is_that_of_the_hessian():
    for w in np.random.default_rng(0).uniform(0.05, 3.0, (20, 2)):
        assert toys.sharpness(*w) == pytest.approx(top(four, w), rel=1e-10, abs=1e-10)
        # Its coordinates are those of x > y.
        run = toys.trajectories(starts=(tuple(sorted(w.tolist(), reverse=True)),), lrs=(0.1,), steps=0, degree=2)
        assert run["sharpness"].values.item() == pytest.approx(top(two, w), rel=1e-10)
    objective = Objective.from_function(four, 2)
    w = torch.tensor([2.0, 0.6], dtype=torch.float64)
    assert toys.sharpness(2.0, 0.6) == pytest.approx(float(eigenpairs(Hessian(objective, w)).values[0]), rel=1e-10)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_sharpness_of_products_is_that_of_the_hessian(depth):
    for w in np.random.default_rng(depth).uniform(0.3, 2.0, (5, depth)):
        assert toys.product_sharpness(w) == pytest.approx(top(product, w), rel=1e-12)


def test_products_descend():
    run = toys.product(factors=(2.0, 0.5, 0.9), lr=0.2, steps=50)
    np.testing.assert_allclose(run["w"], descend(product, (2.0, 0.5, 0.9), 0.2, 50), rtol=1e-9)


def test_the_end_of_flow_keeps_the_imbalances():
    w = np.array([3.0, 0.7, 0.4])
    squares = toys.balanced(w)
    assert squares.prod() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(np.diff(squares), np.diff(w**2), rtol=1e-12)
    # Of two equal pairs it is the closed form.
    pairs = np.array([1.8, 0.5, 1.8, 0.5])
    assert (1 / toys.balanced(pairs)).sum() == pytest.approx(toys.flow_sharpness(1.8, 0.5), rel=1e-12)


@pytest.mark.parametrize(("degree", "function"), [(4, four), (2, two)])
@pytest.mark.parametrize("lr", [0.2, 0.05])
def test_the_coordinates_have_their_origin_at_the_minimum_at_the_edge(degree, function, lr):
    x, y = toys.point(np.zeros(1), np.zeros(1), lr, degree)
    assert x * y == pytest.approx(1.0, rel=1e-14)
    assert top(function, np.concatenate([x, y])) == pytest.approx(2 / lr, rel=1e-12)
    a, b = np.array([-0.1, 0.05, 1.0]), np.array([0.3, -0.2, 0.01])
    np.testing.assert_allclose(toys.coordinates(*toys.point(a, b, lr, degree), lr, degree), (a, b), rtol=1e-11)


def test_the_frozen_map_is_the_literal_loop():
    run = toys.frozen(shifts=(0.2, 1.6, 8), start=0.05, steps=100, kept=3)
    for s in run["s"].values:
        b = 0.05
        for t in range(103):
            if t >= 100:
                assert float(run["b"].sel(s=s).isel(step=t - 100)) == b
            b = b * (1 + s - 16 * b * b)


def test_the_network_is_followed_twice_the_same():
    run = network.network("digits", ("3", "8"), samples=10, width=8, lr=0.05, steps=60, stretch=(20, 60), every=20)
    assert run["loss"].values[0] > 0.3 > run["loss"].values[-1] > 0
    assert run["step"].values.tolist() == [0, 20, 40, 60]
    # The end is the midpoint of the last iterate and its successor: half a step away, most of it along the path.
    assert abs(run["x"].values[-1]) < 1e-2 * abs(run["x"].values[0])
    assert run["sharpness"].values[-1] == pytest.approx(float(run["end_sharpness"]), rel=1e-2)
