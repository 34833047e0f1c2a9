"""Stability in mean square, against the second moments of real optimisers of PyTorch and against closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgewise.foundation import SettingError
from edgewise.methods import (
    AdamW,
    GradientDescent,
    HeavyBall,
    Method,
    Nesterov,
    RMSProp,
    critical_curvature_in_mean_square,
)
from reference.bad_settings import as_a_user_types

SHARES = (1e-3, 0.1, 0.4, 0.8, 0.99)


def sgd_map(curvature: float, **settings: float | bool) -> NDArray[np.float64]:
    """What one step of PyTorch's SGD does to a weight and its momentum buffer, a column for each."""
    columns = []
    for start in ((1.0, 0.0), (0.0, 1.0)):
        w = torch.nn.Parameter(torch.tensor(start[0], dtype=torch.float64))
        optimizer = torch.optim.SGD([w], lr=1.0, **settings)
        optimizer.state[w]["momentum_buffer"] = torch.tensor(start[1], dtype=torch.float64)
        w.grad = curvature * w.detach()
        optimizer.step()
        columns.append((w.item(), optimizer.state[w]["momentum_buffer"].item()))
    return np.array(columns).T


def growth(share: float, curvature: float, **settings: float | bool) -> float:
    """The spectral radius of E[M ⊗ M] where a share of the batches has the curvature, and the others none."""
    none, full = sgd_map(0.0, **settings), sgd_map(curvature, **settings)
    return float(np.abs(np.linalg.eigvals((1 - share) * np.kron(none, none) + share * np.kron(full, full))).max())


@pytest.mark.parametrize("beta", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("nesterov", [False, True])
def test_the_second_moments_of_sgd_grow_above_it_and_shrink_below(beta: float, share: float, nesterov: bool):
    method = Nesterov(1.0, beta) if nesterov else HeavyBall(1.0, beta)
    # E[h²]/E[h] is the curvature itself there, and E[h]²/E[h²] the share.
    critical = critical_curvature_in_mean_square(method, share)
    assert growth(share, (1 - 1e-6) * critical, momentum=beta, nesterov=nesterov) < 1
    assert growth(share, (1 + 1e-6) * critical, momentum=beta, nesterov=nesterov) > 1
    for times in (0.01, 0.1, 0.3, 0.6, 0.9):
        assert growth(share, times * critical, momentum=beta, nesterov=nesterov) < 1


@given(lr=st.floats(1e-6, 1e3), beta=st.floats(0.0, 0.99), share=st.floats(1e-6, 1.0))
def test_heavy_ball_has_a_closed_form(lr: float, beta: float, share: float):
    # m₂/m₁ = 2(1 − β) + 2β m₁/(1 + β) with m₁ = q m₂/m₁, in units of 1/η.
    closed = 2 * (1 - beta) / (1 - 2 * beta * share / (1 + beta)) / lr
    assert critical_curvature_in_mean_square(HeavyBall(lr, beta), share) == pytest.approx(closed, rel=1e-6)


@given(share=st.floats(0.0, 1.0))
def test_without_memory_the_mean_does_not_matter(share: float):
    assert critical_curvature_in_mean_square(GradientDescent(0.1), share) == pytest.approx(20.0, rel=1e-6)


METHODS = {
    "heavy ball": (HeavyBall(0.1, 0.9), 1.0),
    "nesterov": (Nesterov(0.1, 0.8), 0.5),
    "adamw": (AdamW(0.01, betas=(0.9, 0.99), weight_decay=0.0), 0.01),
    "rmsprop": (RMSProp(0.01), 0.01),
}


@pytest.mark.parametrize("name", METHODS)
def test_batches_that_agree_have_the_critical_curvature(name: str):
    method, total = METHODS[name]
    state = method.init(torch.zeros(1))
    # Bias correction raises Adam's first steps.
    if name == "adamw":
        for _ in range(400):
            _, state = method.step(torch.zeros(1), torch.zeros(1), state)
    edge = method.critical_curvature_at(state)
    assert critical_curvature_in_mean_square(method, 1.0, state) == edge
    assert critical_curvature_in_mean_square(method, 1 - 1e-7, state) == pytest.approx(edge, rel=1e-4)
    # And those that have nothing in common, 2 over the sum of all steps that a gradient causes.
    assert critical_curvature_in_mean_square(method, 0.0, state) == pytest.approx(2 / total, rel=1e-5)
    values = [critical_curvature_in_mean_square(method, q, state) for q in np.linspace(0, 1, 30)]
    assert (np.diff(values) >= -1e-9 * edge).all()


class Square(Method[None]):
    lr = 1.0
    critical_formula = "1"
    critical_curvature = 1.0

    def init(self, w):
        return None

    def step(self, w, gradient, state):
        return w - gradient, None

    def step_size_at(self, state):
        return 1.0

    def companion(self, curvature, state=None):
        return np.array([[1 - 2 * curvature**2]])


def test_what_it_cannot_be_asked_of_is_refused():
    with pytest.raises(SettingError, match="not linear in the curvature"):
        critical_curvature_in_mean_square(Square(), 0.5)
    with as_a_user_types(), pytest.raises(SettingError, match="agreement"):
        critical_curvature_in_mean_square(GradientDescent(0.1), 1.5)
    with as_a_user_types(), pytest.raises(SettingError, match="that has a companion matrix"):
        critical_curvature_in_mean_square("sgd", 0.5)
