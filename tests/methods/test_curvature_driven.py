import math

import pytest
import torch

from edgewise.foundation import SettingError
from edgewise.methods import (
    SAM,
    Adam,
    AtEdgeRatio,
    Drop,
    GradientDescent,
    HeavyBall,
    NormalizedGD,
    Projected,
    WeightDecay,
)
from edgewise.objectives import Objective
from reference.runs import bowl, network


def look(method, objective, state, w=None):
    w = objective.start if w is None else w
    return method.look(objective, objective.at(w), state)


def dense_hessian(objective, w):
    return objective.at(w).hvp_block(torch.eye(objective.size, dtype=w.dtype))


@pytest.mark.parametrize(
    "base", [GradientDescent(0.05), HeavyBall(0.05, 0.9), WeightDecay(HeavyBall(0.05, 0.5), 2.0)]
)
def test_the_edge_ratio_is_the_one_that_was_asked_for(base):
    objective = bowl(*[50.0, 20.0, *torch.linspace(0.1, 3, 30).tolist()])
    method = AtEdgeRatio(base, ratio=0.7, growth=100.0, rtol=1e-8)
    _, state = look(method, objective, method.init(objective.start))
    assert state.sharpness == pytest.approx(50.0, rel=1e-8)
    assert state.sharpness / method.critical_curvature(state) == pytest.approx(0.7, rel=1e-12)
    if isinstance(base, GradientDescent):
        assert method.step_size_at(state) == pytest.approx(2 * 0.7 / 50.0, rel=1e-8)


@pytest.mark.parametrize("base", [SAM(0.05, 0.1), NormalizedGD(0.05)])
def test_an_edge_that_moves_with_the_gradient_is_kept_at_a_distance_too(base):
    objective = network()
    method = AtEdgeRatio(base, ratio=0.9, growth=1e6, rtol=1e-8)
    _, state = look(method, objective, method.init(objective.start))
    assert state.sharpness / method.critical_curvature(state) == pytest.approx(0.9, rel=1e-9)


def test_on_a_network_the_true_edge_ratio_follows_within_the_tolerance():
    objective = network()
    method = AtEdgeRatio(GradientDescent(0.01), ratio=0.5, growth=2.0, rtol=1e-3)
    w, state, ratios = objective.start, method.init(objective.start), []
    for _ in range(25):
        gradient, state = look(method, objective, state, w)
        sharpness = float(torch.linalg.eigvalsh(dense_hessian(objective, w))[-1])
        assert state.sharpness == pytest.approx(sharpness, rel=1e-3)
        ratios.append(sharpness * method.step_size_at(state) / 2)
        w, state = method.step(w, gradient, state)
    assert max(ratios) < 0.5 * 1.002
    assert min(ratios[10:]) > 0.5 * 0.98
    assert objective.value(w) < 0.5 * objective.value(objective.start)


def test_a_preconditioned_method_is_held_by_its_effective_sharpness():
    objective = network()
    method = AtEdgeRatio(Adam(1e-4), ratio=0.8, growth=10.0, rtol=1e-4)
    w, state = objective.start, method.init(objective.start)
    for _ in range(4):
        gradient, state = look(method, objective, state, w)
        root = method.preconditioner(w, gradient, state).power(-0.5).entries
        effective = root[:, None] * dense_hessian(objective, w) * root
        assert state.sharpness == pytest.approx(float(torch.linalg.eigvalsh(effective)[-1]), rel=1e-4)
        w, state = method.step(w, gradient, state)


def test_coupled_decay_of_a_preconditioned_method_is_in_what_is_measured():
    objective = network()
    method = AtEdgeRatio(WeightDecay(Adam(1e-4), 0.5), rtol=1e-6)
    w = objective.start
    gradient, state = look(method, objective, method.init(w))
    root = method.preconditioner(w, gradient, state).power(-0.5).entries
    decayed = dense_hessian(objective, w) + 0.5 * torch.eye(objective.size, dtype=w.dtype)
    effective = torch.linalg.eigvalsh(root[:, None] * decayed * root)
    assert state.sharpness == pytest.approx(float(effective[-1]), rel=1e-6)


def test_a_mode_that_rises_from_elsewhere_is_found():
    """The last vectors are exact eigenvectors of the next operator, and nothing leads from them to the new top."""
    before = bowl(*[10.0, 9.0, *[1.0] * 28])
    after = bowl(*[10.0, 9.0, *[1.0] * 27, 60.0])
    method = AtEdgeRatio(GradientDescent(0.01), growth=100.0)
    gradient, state = look(method, before, method.init(before.start))
    _, state = method.step(before.start, gradient, state)
    _, state = look(method, after, state)
    assert state.sharpness == pytest.approx(60.0, rel=1e-3)
    assert method.step_size_at(state) == pytest.approx(2 / 60, rel=1e-3)


def test_the_step_size_falls_at_once_and_rises_by_a_factor():
    method = AtEdgeRatio(GradientDescent(1.0), growth=1.25)
    steep, flat = bowl(*[40.0] * 4), bowl(*[0.01] * 4)
    gradient, state = look(method, steep, method.init(steep.start))
    assert method.step_size_at(state) == pytest.approx(0.05)
    for times in (1, 2, 3):
        _, state = method.step(steep.start, gradient, state)
        gradient, state = look(method, flat, state)
        assert method.step_size_at(state) == pytest.approx(0.05 * 1.25**times)


def test_with_a_ceiling_it_is_a_warm_up():
    objective = bowl(10.0, 3.0, 1.0)
    method = AtEdgeRatio(GradientDescent(0.01), ratio=0.9, growth=1.5, largest=0.1)
    w, state, sizes = objective.start, method.init(objective.start), []
    for _ in range(9):
        gradient, state = look(method, objective, state, w)
        sizes.append(method.step_size_at(state))
        w, state = method.step(w, gradient, state)
    assert sizes == pytest.approx([min(0.1, 0.01 * 1.5**k) for k in range(1, 10)])


def test_where_no_curvature_is_positive_the_step_size_just_grows():
    objective = bowl(-1.0, -2.0)
    method = AtEdgeRatio(GradientDescent(0.1), growth=2)
    _, state = look(method, objective, method.init(objective.start))
    assert method.step_size_at(state) == 0.2


def test_it_measures_every_so_many_steps_and_says_what_that_costs():
    objective = network()
    method = AtEdgeRatio(GradientDescent(0.01), every=4)
    w, state, products = objective.start, method.init(objective.start), []
    for _ in range(13):
        point = objective.at(w)
        gradient, state = method.look(objective, point, state)
        products.append(point.products)
        w, state = method.step(w, gradient, state)
    assert [count > 0 for count in products] == [step % 4 == 0 for step in range(13)]
    assert all(8 <= count <= 14 for count in products[4::4])
    assert method.gradients_per_step(objective) == 1 + 2 * 8 / 4


def test_where_the_loss_has_overflowed_nothing_is_measured():
    objective = Objective.from_function(lambda w: (w**4).sum(), 3, start=torch.ones(3))
    method = AtEdgeRatio(GradientDescent(0.1))
    for gone in (math.inf, math.nan, 0.0):
        w = torch.full((3,), gone, dtype=torch.float64)
        _, state = look(method, objective, method.init(w), w)
        assert state.sharpness is None
        assert method.step_size_at(state) == 0.1


def test_where_a_product_overflows_the_step_size_stays():
    objective = Objective.from_function(lambda w: (w**4).sum(), 3, torch.float32)
    w = torch.full((3,), 1e12)
    method = AtEdgeRatio(GradientDescent(0.1))
    assert bool(torch.isfinite(objective.gradient(w)).all())  # 4e36; the norm of H v needs its square
    _, state = look(method, objective, method.init(w), w)
    assert state.sharpness is None
    assert method.step_size_at(state) == 0.1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"method": GradientDescent(Drop(0.2, 0.1, 3))}, r"lr=Drop.*the curvature sets the step size.*a number"),
        ({"ratio": 0.0}, r"ratio=0\.0: an edge ratio is positive"),
        ({"every": 0}, r"every=0: steps are counted in whole numbers from 1"),
        ({"rtol": 1.0}, r"rtol=1\.0: a relative tolerance lies between 0 and 1"),
        ({"growth": 1.0}, r"growth=1\.0: a step size that cannot rise can only fall"),
        ({"largest": -1.0}, r"largest=-1\.0: a step size is a positive, finite number"),
        ({"largest": 0.05}, r"largest=0\.05 below lr=0\.1: .*Type largest=0\.1 or more"),
        ({"seed": -1}, r"seed=-1: a seed is a non-negative integer"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings, sentence):
    with pytest.raises(SettingError, match=sentence):
        AtEdgeRatio(**{"method": GradientDescent(0.1), **settings})


@pytest.mark.parametrize(
    "inner", [AtEdgeRatio(HeavyBall(0.1, 0.5)), Projected(AtEdgeRatio(HeavyBall(0.1, 0.5)), 2)]
)
def test_two_of_them_are_refused(inner):
    with pytest.raises(
        SettingError, match=r"AtEdgeRatio around AtEdgeRatio: .*step size of its own.*Type AtEdgeRatio"
    ):
        AtEdgeRatio(inner)
