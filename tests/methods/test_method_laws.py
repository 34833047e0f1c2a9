"""What holds for every method: tried on all of `tests/reference/all_methods.py`."""

import dataclasses
import functools
import inspect
import math

import numpy as np
import pytest
import torch

import edgewise.methods as room
from edgewise.foundation import SettingError, decode, encode
from edgewise.linalg import Diagonal
from edgewise.methods import (
    AtEdgeRatio,
    DecoupledWeightDecay,
    Drop,
    GradientDescent,
    Method,
    ParameterGroups,
    Projected,
    WeightDecay,
    critical_curvature_by_bisection,
    spectral_radius,
)
from edgewise.objectives import Objective
from reference.all_methods import CASES, Case
from reference.runs import network as new_network

LR = 0.05
network = functools.cache(new_network)


@dataclasses.dataclass(frozen=True)
class Steepened(GradientDescent):
    """Gradient descent that says that it sees H + 3 I."""

    def seen(self, hessian):
        return hessian + Diagonal(torch.full((hessian.size,), 3.0, dtype=hessian.dtype))


WRAPPERS = {
    AtEdgeRatio: AtEdgeRatio,
    DecoupledWeightDecay: lambda method: DecoupledWeightDecay(method, 0.3),
    ParameterGroups: lambda method: ParameterGroups((method, GradientDescent(LR)), sizes=(2, 1)),
    Projected: lambda method: Projected(method, 1),
    WeightDecay: lambda method: WeightDecay(method, 0.3),
}


def chosen(which):
    """The cases for which `which` is true, by name."""
    return [pytest.param(case, id=name) for name, case in CASES.items() if which(case)]


every_method = pytest.mark.parametrize("case", chosen(lambda case: True))


def advanced(method, objective, w, state, steps):
    """Look and step so many times: the points from `w` on, and the last state."""
    points = [w]
    for _ in range(steps):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        points.append(w)
    return points, state


def tensors_of(value):
    """All tensors of a state, and all the rest of it."""
    tensors = {}
    return encode(value, tensors), tensors


def same(one, other):
    """Both states are the same bits."""
    (rest, tensors), (other_rest, other_tensors) = tensors_of(one), tensors_of(other)
    return (
        rest == other_rest
        and tensors.keys() == other_tensors.keys()
        and all(torch.equal(tensors[name], other_tensors[name]) for name in tensors)
    )


def on_a_network(case: Case):
    objective = network()
    return case.make(LR).on(objective.space), objective


def looked(method, objective, steps=3):
    """The state of a method that is about to take its step number `steps`, and what it sees there."""
    points, state = advanced(method, objective, objective.start, method.init(objective.start), steps)
    gradient, state = method.look(objective, objective.at(points[-1]), state)
    return points[-1], gradient, state


def test_every_method_of_the_room_is_tried():
    exported = {noun for noun in map(room.__dict__.get, room.__all__) if inspect.isclass(noun)}
    methods = {noun for noun in exported if issubclass(noun, Method) and noun is not Method}
    assert methods == {type(case.make(LR)) for case in CASES.values()}


def test_every_wrapper_of_the_room_is_tried():
    wrappers = {
        noun
        for noun in map(room.__dict__.get, room.__all__)
        if inspect.isclass(noun) and issubclass(noun, Method) and dataclasses.is_dataclass(noun)
        if {"method", "methods"} & {field.name for field in dataclasses.fields(noun)}
    }
    assert wrappers == WRAPPERS.keys()


@pytest.mark.parametrize("kind", WRAPPERS, ids=lambda kind: kind.__name__)
def test_what_a_method_adds_to_the_hessian_survives_every_wrapper(kind):
    H = Diagonal(torch.tensor([5.0, 2.0, -1.0], dtype=torch.float64))
    added = torch.tensor([3.0, 3.0, 0.0 if kind is ParameterGroups else 3.0], dtype=torch.float64)
    wrapped = WRAPPERS[kind](Steepened(LR))
    torch.testing.assert_close(wrapped.seen(H) @ torch.ones_like(added), H.entries + added)
    plain = WRAPPERS[kind](GradientDescent(LR))
    assert plain.seen(H) is H


@every_method
def test_what_a_method_adds_to_the_hessian_does_not_depend_on_it(case):
    method, objective = on_a_network(case)
    entries, v = torch.linspace(-1, 4, 2 * objective.size, dtype=torch.float64).split(objective.size)
    over, alone = (method.seen(Diagonal(d)) @ v for d in (entries, torch.zeros_like(entries)))
    torch.testing.assert_close(over - alone, entries * v, rtol=1e-12, atol=1e-12)


@every_method
def test_a_look_and_a_step_leave_their_inputs_unchanged(case):
    method, objective = on_a_network(case)
    points, state = advanced(method, objective, objective.start, method.init(objective.start), 2)
    w = points[-1]
    kept_w, (rest, tensors) = w.clone(), tensors_of(state)
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    gradient, seen = method.look(objective, objective.at(w), state)
    kept_gradient, (seen_rest, seen_tensors) = gradient.clone(), tensors_of(seen)
    kept_seen = {name: tensor.clone() for name, tensor in seen_tensors.items()}
    method.preconditioner(w, gradient, seen)
    stepped, after = method.step(w, gradient, seen)
    assert torch.equal(w, kept_w)
    assert torch.equal(gradient, kept_gradient)
    for value, was, were in ((state, rest, kept), (seen, seen_rest, kept_seen)):
        now, tensors = tensors_of(value)
        assert now == was
        assert all(torch.equal(tensors[name], were[name]) for name in were)
    assert stepped.data_ptr() != w.data_ptr()
    assert (state.step, seen.step, after.step) == (2, 2, 3)


@every_method
def test_a_state_that_was_stored_goes_on_bit_for_bit(case):
    method, objective = on_a_network(case)
    points, state = advanced(method, objective, objective.start, method.init(objective.start), 4)
    tree, tensors = tensors_of(state)
    assert decode(encode(method)) == method
    back = decode(tree, {name: tensor.clone() for name, tensor in tensors.items()})
    assert same(back, state)
    straight, end = advanced(method, objective, points[-1], state, 5)
    resumed, resumed_end = advanced(decode(encode(method)), objective, points[-1].clone(), back, 5)
    assert all(map(torch.equal, straight, resumed))
    assert same(end, resumed_end)


@every_method
def test_the_first_state_is_stored_too(case):
    method, objective = on_a_network(case)
    state = method.init(objective.start)
    assert state.step == 0
    assert same(decode(*tensors_of(state)), state)


@every_method
@pytest.mark.parametrize("lr", [3e-3, 20.0])
def test_the_closed_form_is_where_the_spectral_radius_crosses_one(case, lr):
    objective = network()
    start = case.make(0.01).on(objective.space)
    method = case.make(lr).on(objective.space)
    # Where it gets to at a modest step size is good enough to ask it at another.
    _, _, state = looked(start, objective)
    _, state = method.look(objective, objective.at(objective.start), state)
    closed, measured = method.critical_curvature_at(state), critical_curvature_by_bisection(method, state)
    if closed == 0.0:  # decay that diverges by itself
        assert measured == 0.0
        assert case.decays
        return
    assert closed == pytest.approx(measured, rel=1e-9)
    assert spectral_radius(method, 0.999 * closed, state) <= 1.0
    assert spectral_radius(method, 1.001 * closed, state) > 1.0


@pytest.mark.parametrize("case", chosen(lambda case: case.linear and not case.samples))
@pytest.mark.parametrize("share", [-0.4, 0.3, 0.97, 1.02])
def test_a_mode_obeys_the_companion_matrix(case, share):
    """By Cayley and Hamilton Σ cₖ w_{t+k} = 0 with the coefficients of its characteristic polynomial.

    Whatever the coordinates of the companion matrix, and whatever else the method remembers.
    """
    method = case.make(LR)
    point = torch.tensor([1.25], dtype=torch.float64)
    state = method.init(point)
    curvature = share * method.critical_curvature_at(state)
    w = np.empty(13)
    for t in range(13):
        w[t] = point.item()
        point, state = method.step(point, curvature * point, state)
    coefficients = np.poly(method.companion(curvature, state))[::-1]
    order = len(coefficients) - 1
    for t in range(1, 12 - order):
        terms = coefficients * w[t : t + order + 1]
        assert abs(terms.sum()) <= 1e-12 * np.abs(terms).max()


@pytest.mark.parametrize("case", chosen(lambda case: case.linear and not case.samples))
@pytest.mark.parametrize("share", [0.98, 1.05])
def test_in_the_long_run_a_mode_grows_by_the_spectral_radius(case, share):
    method = case.make(LR)
    w = torch.ones(1, dtype=torch.float64)
    state = method.init(w)
    curvature = share * method.critical_curvature_at(state)
    sizes = []
    for _ in range(600):
        w, state = method.step(w, curvature * w, state)
        sizes.append(abs(w.item()))
    rate = (max(sizes[-20:]) / max(sizes[-220:-200])) ** (1 / 200)
    assert (rate > 1) == (share > 1)
    if share > 1:  # below, the largest roots are often a complex pair, and sizes oscillate
        assert rate == pytest.approx(spectral_radius(method, curvature, state), rel=1e-9)


@pytest.mark.parametrize("case", chosen(lambda case: case.torch is not None))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_pytorch_over_100_steps(case, dtype):
    lr, start = 0.01, network().start.to(dtype)
    method = case.make(lr).on(network().space)
    theirs = start.clone().requires_grad_()
    optimizer = case.torch([theirs], lr)
    w, state = start, method.init(start)
    for _ in range(100):
        theirs.grad = theirs.detach() ** 3 + torch.sin(theirs.detach())
        optimizer.step()
        w, state = method.step(w, w**3 + torch.sin(w), state)
        if case.rtol == 0.0:
            assert torch.equal(w, theirs.detach())
        else:
            torch.testing.assert_close(w, theirs.detach(), rtol=0.0, atol=case.rtol * float(w.abs().max()))
    assert not torch.allclose(w, start, atol=0.01)


@every_method
def test_the_step_size_can_be_set_and_is_felt(case):
    method, objective = on_a_network(case)
    _, _, state = looked(method, objective)
    half = method.with_step_size(LR / 2)
    assert type(half) is type(method)
    assert half.lr == LR / 2
    fresh = half.init(objective.start)
    assert half.step_size_at(fresh) == LR / 2
    if case.scheduled:
        assert half.step_size_at(state) == LR / 2
        assert half.critical_curvature_at(state) > method.critical_curvature_at(state)


@every_method
def test_a_schedule_is_followed_and_asks_for_the_state(case):
    if not case.scheduled:
        with pytest.raises(SettingError):
            case.make(Drop(0.02, 0.01, step=2))
        return
    objective = network()
    method = case.make(Drop(0.02, 0.01, step=2)).on(objective.space)
    first, second = (case.make(lr).on(objective.space) for lr in (0.02, 0.01))
    state = method.init(objective.start)
    w = objective.start
    for t in range(4):
        gradient, state = method.look(objective, objective.at(w), state)
        fixed = first if t < 2 else second
        assert method.step_size_at(state) == fixed.step_size_at(state)
        assert method.critical_curvature_at(state) == fixed.critical_curvature_at(state)
        np.testing.assert_array_equal(method.companion(3.0, state), fixed.companion(3.0, state))
        stepped, _ = fixed.step(w, gradient, state)
        w, state = method.step(w, gradient, state)
        assert torch.equal(w, stepped)
    with pytest.raises(SettingError, match="state"):
        method.companion(1.0)


@every_method
@pytest.mark.parametrize("lr", [0.0, -0.1, math.nan, math.inf])
def test_a_step_size_that_is_not_positive_and_finite_is_refused(case, lr):
    with pytest.raises(SettingError, match=r"lr=.*positive, finite.*Type lr=0\.01"):
        case.make(lr)


@every_method
def test_the_preconditioner_is_positive_and_its_powers_fit_together(case):
    method, objective = on_a_network(case)
    w, gradient, state = looked(method, objective)
    P = method.preconditioner(w, gradient, state)
    numbers = torch.Generator().manual_seed(0)
    v, u = torch.randn(2, objective.size, generator=numbers, dtype=torch.float64)
    assert (P.size, P.dtype) == (objective.size, torch.float64)
    assert float(v @ (P @ v)) > 0
    assert float(u @ (P @ v)) == pytest.approx(float(v @ (P @ u)), rel=1e-9)
    root = P.power(-0.5)
    torch.testing.assert_close(root @ (root @ v), P.power(-1.0) @ v, rtol=1e-9, atol=1e-9 * float(v.norm()))
    torch.testing.assert_close(P @ (P.power(-1.0) @ v), v, rtol=1e-9, atol=1e-9)


@every_method
def test_it_keeps_the_precision_of_the_parameters(case):
    objective = network(dtype=torch.float32)
    method = case.make(LR).on(objective.space)
    points, state = advanced(method, objective, objective.start, method.init(objective.start), 3)
    assert points[-1].dtype == torch.float32
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in tensors_of(state)[1].values())


@every_method
def test_it_says_what_it_costs_and_where_its_edge_is(case):
    method, objective = on_a_network(case)
    _, _, state = looked(method, objective)
    assert method.gradients_per_step(objective) > 0
    assert method.critical_curvature_at(state) > 0
    assert method.critical_formula
    assert "η" in method.critical_formula


@pytest.mark.parametrize("case", chosen(lambda case: not case.samples and not case.decays))
def test_where_nothing_pulls_it_stays(case):
    at = network().start
    method = case.make(LR).on(network().space)
    objective = Objective.from_function(lambda w: (w - at).square().sum(), len(at), start=at)
    points, _ = advanced(method, objective, at, method.init(at), 3)
    assert torch.equal(points[-1], at)
