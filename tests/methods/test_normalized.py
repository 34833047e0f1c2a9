import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from edgewise.foundation import SettingError
from edgewise.methods import NormalizedGD, NormalizedGDState, critical_curvature_by_bisection
from reference.matrices import with_spectrum
from reference.runs import bowl


def test_is_its_recursion_in_two_dimensions():
    η, x, y = 0.3, 1.7, -0.6
    method = NormalizedGD(η)
    w = torch.tensor([x, y], dtype=torch.float64)
    state = method.init(w)
    for step in range(30):
        gx, gy = x**3, 5 * y  # L = x⁴/4 + 5y²/2
        norm = math.hypot(gx, gy)
        x, y = x - η * gx / norm, y - η * gy / norm
        w, state = method.step(w, torch.stack([w[0] ** 3, 5 * w[1]]), state)
        assert w.tolist() == pytest.approx([x, y], rel=1e-9)
        assert state.gradient_norm == pytest.approx(norm, rel=1e-9)
        assert state.step == step + 1


def test_a_look_remembers_the_gradient_norm_and_that_sets_the_edge():
    objective = bowl(3.0, 4.0)
    method = NormalizedGD(0.5)
    gradient, state = method.look(objective, objective.at(objective.start), method.init(objective.start))
    assert gradient.tolist() == [3.0, 4.0]
    assert state == NormalizedGDState(step=0, gradient_norm=5.0)
    assert method.critical_curvature(state) == 20.0
    assert method.critical_formula == "2‖∇L‖/η"
    assert method.effective_step_size(state) == 0.1
    assert method.companion(7.0, state)[0, 0] == pytest.approx(0.3)
    assert critical_curvature_by_bisection(method, state) == pytest.approx(20.0, rel=1e-9)
    _, after = method.step(objective.start, gradient, method.init(objective.start))
    assert method.critical_curvature(after) == 20.0


def test_every_step_is_as_long_as_the_step_size():
    method = NormalizedGD(0.25)
    for scale in (1e-30, 1.0, 1e30):
        w = torch.zeros(3, dtype=torch.float64)
        stepped, _ = method.step(w, scale * torch.tensor([1.0, -2.0, 2.0]).double(), method.init(w))
        assert stepped.norm().item() == pytest.approx(0.25, rel=1e-15)


def test_the_norm_of_single_precision_is_added_up_in_double():
    gradient = torch.full((4,), 1e-30)
    method = NormalizedGD(1.0)
    stepped, state = method.step(torch.zeros(4), gradient, method.init(torch.zeros(4)))
    assert state.gradient_norm == pytest.approx(2e-30, rel=1e-6)
    assert stepped.tolist() == pytest.approx([-0.5] * 4)


def test_where_the_gradient_is_zero_it_stays_and_nothing_is_stable():
    method = NormalizedGD(0.5)
    w = torch.ones(2)
    stepped, state = method.step(w, torch.zeros(2), method.init(w))
    assert torch.equal(stepped, w)
    assert method.critical_curvature(state) == 0.0
    with pytest.raises(SettingError, match=r"a zero gradient: .*no bound"):
        method.companion(1.0, state)


def test_without_a_gradient_seen_the_edge_is_not_known():
    method = NormalizedGD(0.5)
    state = method.init(torch.zeros(1))
    assert math.isnan(method.critical_curvature(state))
    for unseen in (state, None):
        with pytest.raises(SettingError, match=r"no gradient seen: .*method\.look\(objective, point, state\)"):
            method.companion(1.0, unseen)


@pytest.mark.parametrize("seed", range(4))
def test_on_a_quadratic_it_ends_in_an_orbit_of_period_two(seed):
    """The direction of A x tends to ±v₁, the norms of two neighbours add up to ηλ₁, and every second x agrees."""
    η, λ = 0.02, torch.tensor([2.0, 1.3, 0.7, 0.2]).double()
    A = with_spectrum(λ, seed=seed)
    top = torch.linalg.eigh(A).eigenvectors[:, -1]
    method = NormalizedGD(η)
    w = torch.randn(4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    state = method.init(w)
    points = [w]
    for _ in range(2500):
        w, state = method.step(w, A @ w, state)
        points = [*points[-2:], w]
    norms = [float((A @ point).norm()) for point in points]
    assert float((A @ w / norms[-1] @ top).abs()) > 1 - 1e-8
    for now, then in pairwise(norms):
        assert now + then == pytest.approx(2.0 * η, rel=1e-10)
    assert float((points[2] - points[0]).norm()) < 1e-12


def test_near_a_valley_two_neighbours_share_the_edge():
    """On L = (1 + x²) y²/2: 1/Sₜ + 1/Sₜ₊₁ = 1 + O(η) and √Lₜ + √Lₜ₊₁ = η √(λ₁/2), with the stableness
    S = η_eff sup λ₁(H) over the step."""

    def top(x, y):
        return np.linalg.eigvalsh([[y * y, 2 * x * y], [2 * x * y, 1 + x * x]])[1]

    def errors(η):
        method = NormalizedGD(η)
        w = torch.tensor([1.5, 0.3 * η], dtype=torch.float64)
        state = method.init(w)
        stableness, roots = [], []
        for _ in range(203):
            x, y = w.tolist()
            g = torch.tensor([x * y * y, (1 + x * x) * y], dtype=torch.float64)
            eta = η / float(g.norm())
            way = [w - s * eta * g for s in np.linspace(0, 1, 9)]
            stableness.append(eta * max(top(*point.tolist()) for point in way))
            roots.append(math.sqrt((1 + x * x) * y * y / 2))
            w, state = method.step(w, g, state)
        shared = 1 / stableness[-2] + 1 / stableness[-1]
        level = (roots[-2] + roots[-1]) / (η * math.sqrt((1 + w[0].item() ** 2) / 2))
        return abs(shared - 1), abs(level - 1)

    coarse, fine = errors(0.04), errors(0.02)
    for large, small in zip(coarse, fine, strict=True):
        assert large < 0.04
        assert small < large / 2


def test_along_a_valley_it_drifts_to_lower_curvature():
    """On L = (1 + x²) y²/2, x follows dx/dτ = −¼ d log(1 + x²)/dx, τ = η² t: ln x + x²/2 falls by τ/2."""
    flow = brentq(lambda x: math.log(x) + x * x / 2 - (math.log(2.0) + 2.0 - 4.0 / 2), 1.0, 2.0)
    assert flow == pytest.approx(1.096434, abs=1e-6)

    def end(η):
        method = NormalizedGD(η)
        w = torch.tensor([2.0, 0.3 * η], dtype=torch.float64)
        state = method.init(w)
        for _ in range(round(4.0 / η**2)):
            x, y = w.tolist()
            w, state = method.step(w, torch.tensor([x * y * y, (1 + x * x) * y], dtype=torch.float64), state)
        return w[0].item()

    coarse, fine = (abs(end(η) - flow) for η in (0.08, 0.04))
    assert fine < 1e-3
    assert fine < coarse / 2
