"""The toys of arora2022understanding against the library and SciPy; its projection against a dense one."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

import edgewise as ew
from edgewise.gallery.arora2022understanding import network, toys
from edgewise.methods import AnyMethod

_METHODS: dict[str, AnyMethod] = {"normalized": ew.NormalizedGD(0.03), "sqrt_loss": ew.SqrtLossGD(0.03)}


def _valley(w: Tensor) -> Tensor:
    return 0.5 * (1 + w[0] ** 2) * w[1] ** 2


def _objective(x: float, y: float) -> ew.Objective:
    return ew.Objective.from_function(_valley, 2, start=torch.tensor([x, y], dtype=torch.float64))


@pytest.mark.parametrize("name", toys.METHODS)
def test_a_step_is_that_of_the_library(name: str) -> None:
    method, place = _METHODS[name], (1.5, 0.4)
    objective = _objective(*place)
    w = objective.start
    state = method.init(w)
    for _ in range(50):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        place = toys.step(name, 0.03, place)
        assert w.tolist() == pytest.approx(place, rel=1e-12)


def test_a_step_on_the_quadratic_is_that_of_the_library() -> None:
    x = np.random.default_rng(1).standard_normal((1, len(toys.SPECTRUM))) * 0.05
    diagonal = torch.tensor(toys.SPECTRUM, dtype=torch.float64)
    objective = ew.Objective.from_function(lambda w: 0.5 * (diagonal * w * w).sum(), 5, start=torch.tensor(x[0]))
    method, w = ew.NormalizedGD(toys.QUADRATIC_LR), objective.start
    state = method.init(w)
    for _ in range(50):
        w, state = method.step(w, objective.gradient(w), state)
        x = toys.normalized_step(x)
    assert w.numpy() == pytest.approx(x[0], rel=1e-11, abs=1e-14)


def test_the_sharpness_is_that_of_the_dense_hessian() -> None:
    for x, y in np.random.default_rng(2).standard_normal((10, 2)):
        dense = torch.autograd.functional.hessian(_valley, torch.tensor([x, y]))
        assert toys.sharpness(np.array(x), np.array(y)) == pytest.approx(
            torch.linalg.eigvalsh(dense)[-1].item(), rel=1e-12
        )


def test_the_loss_and_its_gradient_are_those_of_autograd() -> None:
    objective = _objective(1.3, -0.7)
    assert toys.loss((1.3, -0.7)) == pytest.approx(float(objective.value(objective.start)), rel=1e-14)
    assert toys.gradient((1.3, -0.7)) == pytest.approx(objective.gradient(objective.start).tolist(), rel=1e-14)


@pytest.mark.parametrize(
    ("name", "velocity"),
    [("normalized", lambda _, x: -0.25 * 2 * x / (1 + x**2)), ("sqrt_loss", lambda _, x: -0.125 * 2 * x)],
)
def test_the_closed_form_solves_the_limiting_flow(name: str, velocity: object) -> None:
    times = np.linspace(0, 4, 9)
    solved = solve_ivp(velocity, (0, 4), [2.0], t_eval=times, rtol=1e-11, atol=1e-12)
    assert toys.limiting_flow(name, times) == pytest.approx(solved.y[0], rel=1e-9)


@pytest.mark.parametrize("name", toys.METHODS)
def test_the_library_s_limiting_flow_is_the_closed_form(name: str) -> None:
    method, objective, lr, steps = _METHODS[name], _objective(2.0, 0.0), 0.03, 40
    flow, w = ew.LimitingFlow(method), objective.start
    state = flow.init(objective, w, seed=0)
    for _ in range(steps):
        w, state = flow.advance(objective, objective.at(w), state, lr)
    # Euler's method in steps of η² is off by O(η²) of the way, here some 0.02.
    assert float(w[0]) == pytest.approx(float(toys.limiting_flow(name, np.array(steps * lr**2))), abs=1e-4)


def test_the_gradient_flow_comes_down_where_it_is_said_to() -> None:
    start = toys.DESCENT_FROM
    solved = solve_ivp(
        lambda _, w: [-g for g in toys.gradient((w[0], w[1]))], (0, 30), start, rtol=1e-11, atol=1e-13
    )
    assert solved.y[0, -1] == pytest.approx(toys.gradient_flow_limit(*start), rel=1e-9)
    assert toys.gradient_flow_height(solved.y[0, :20], start) == pytest.approx(solved.y[1, :20], abs=1e-8)


def test_what_two_steps_of_a_slide_add_up_to() -> None:
    run = toys.slide("normalized", 0.04, 0.16, 10)
    place = (2.0, 0.3 * 0.04)
    after = toys.step("normalized", 0.04, place)
    roots = np.sqrt(toys.loss(place)) + np.sqrt(toys.loss(after))
    assert float(run["root_sum"][0]) == pytest.approx(roots / (0.04 * np.sqrt(5 / 2)), rel=1e-12)
    top = max(float(toys.sharpness(*np.array([place, after]).T).max()), 5.0)
    assert float(run["stableness"][0]) == pytest.approx(0.04 / np.hypot(*toys.gradient(place)) * top, rel=1e-3)


def test_the_projection_is_off_the_range_of_the_dense_gauss_newton_matrix() -> None:
    objective = network.fitted("digits", samples=4, width=2, seed=0)
    w, v = (
        objective.start,
        torch.randn(objective.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    )
    dense = ew.GaussNewton(objective, w) @ torch.eye(objective.size, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(dense)
    null = vectors[:, values < 1e-10 * values[-1]]
    assert null.shape[1] == objective.size - 4
    assert network.tangent(objective, w, v, 4).numpy() == pytest.approx((null @ (null.T @ v)).numpy(), abs=1e-9)


def test_the_sharpness_changes_along_the_projected_slope_as_predicted() -> None:
    objective = network.fitted("digits", samples=4, width=2, seed=0)
    w = network.trained(objective)
    assert float(objective.value(w)) <= 1e-6
    top, second, rate, whole, flatness = network.reading(objective, w, 4, "sqrt_loss")
    pairs = ew.eigenpairs(ew.Hessian(objective, w), k=1, rtol=1e-10)
    u = pairs.vectors[:, 0].contiguous()
    along = network.tangent(objective, w, objective.at(w).third(u, u), 4)
    h = 1e-4 / float(along.norm())
    sides = [float(ew.eigenpairs(ew.Hessian(objective, w + s * along), rtol=1e-12).values[0]) for s in (h, -h)]
    assert rate == pytest.approx(-0.125 * (sides[0] - sides[1]) / (2 * h), rel=1e-5)
    assert top > second
    assert whole < rate < 0
    assert flatness < 1e-2


def test_the_crossing_is_where_a_linear_gradient_vanishes() -> None:
    one, two = torch.tensor([3.0, 1.0]), torch.tensor([-1.0, 1.0])
    assert network.crossing(one, 2 * one[:1], two, 2 * two[:1]).tolist() == pytest.approx([0.0, 1.0], abs=1e-7)
