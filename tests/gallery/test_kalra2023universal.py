"""The recursion is gradient descent on the UV model, and λ its sharpness at a minimum."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.kalra2023universal import recipe

_N, _Y, _ETA = 4, 0.8, 0.5


def _loss(w: torch.Tensor) -> torch.Tensor:
    return 0.5 * (w[:_N] @ w[_N:] / _N**0.5 - _Y) ** 2


def test_the_recursion_is_gradient_descent_on_autograd() -> None:
    start = torch.tensor([1.1, -0.3, 0.5, 0.9, 0.2, 0.8, -0.7, 0.4], dtype=torch.float64)
    objective = ew.Objective.from_function(_loss, 2 * _N, start=start)
    method, w = ew.GradientDescent(_ETA), objective.start
    state = method.init(w)
    f, lam = float(w[:_N] @ w[_N:]) / _N**0.5, float(w @ w) / _N
    for _ in range(50):
        w, state = method.step(w, objective.gradient(w), state)
        f, lam = (float(part) for part in recipe.advance(f, lam, _Y, float(_N), _ETA))
        assert float(w[:_N] @ w[_N:]) / _N**0.5 == pytest.approx(f, abs=1e-12)
        assert float(w @ w) / _N == pytest.approx(lam, abs=1e-12)
    dense = torch.func.hessian(_loss)(w)
    assert float(_loss(w)) < 1e-12
    assert float(torch.linalg.eigvalsh(dense)[-1]) == pytest.approx(lam, rel=1e-5)


def test_balanced_networks_follow_the_cubic_map() -> None:
    c, a = np.array(-0.4), 1.2
    f, lam = recipe.advance(c + a, 2 * (c + a), a, 1.0, 1.0)
    assert f - a == pytest.approx(float((c + a) * (1 - c) ** 2 - a), abs=1e-14)
    assert lam == pytest.approx(2 * float(f), abs=1e-14)


def test_what_is_not_balanced_is_multiplied_by_its_factors() -> None:
    f, lam, a = 0.7, 1.9, 1.2
    new_f, new_lam = recipe.advance(f, lam, a, 1.0, 1.0)
    c = f - a
    assert new_lam + 2 * new_f == pytest.approx((lam + 2 * f) * (1 - c) ** 2, abs=1e-14)
    assert new_lam - 2 * new_f == pytest.approx((lam - 2 * f) * (1 + c) ** 2, abs=1e-14)
