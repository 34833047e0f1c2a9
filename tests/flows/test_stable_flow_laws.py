"""Every method goes where its stable flow goes: the distance at a fixed time falls as the step size does."""

import dataclasses
import functools
import math

import pytest
import torch
from torch import Tensor

from edgewise.flows import CentralFlow, StableFlow
from edgewise.foundation import SettingError
from edgewise.methods import Adagrad, AnyMethod, AtEdgeRatio, FrozenAdam, Muon, Projected
from reference.all_methods import CASES
from reference.runs import network as new_network

TIME = 0.2
network = functools.cache(new_network)


def regular(method: AnyMethod, eta: float) -> AnyMethod:
    """A method of this step size with nothing in it that keeps its flow from being smooth, or differs with η.

    Second moments: with ε = 1 the flow does not stiffen where a gradient entry passes zero, or ν starts empty. The
    memory in steps is made as long in time whatever η, and so are the time of a freeze and a decay of η. What is
    measured is measured well: an eigenvector is known to the root of the tolerance of its eigenvalue only. An edge
    ratio is kept that takes the first step of length η. The iteration of Muon is not rounded.
    """
    if hasattr(method, "methods"):
        return dataclasses.replace(method, methods=tuple(regular(each, eta) for each in method.methods))
    if hasattr(method, "method"):
        method = dataclasses.replace(method, method=regular(method.method, eta))
    if hasattr(method, "eps"):
        method = dataclasses.replace(method, eps=1.0)
    if hasattr(method, "beta2"):
        method = dataclasses.replace(method, beta2=1.0 - 2.0 * eta)
    if hasattr(method, "betas"):
        method = dataclasses.replace(method, betas=(method.betas[0], 1.0 - 2.0 * eta))
    match method:
        case Adagrad():
            # Its sum is √n in the divisor after n steps: beside it ε leaves terms of the relative order ε/√n.
            method = dataclasses.replace(method, eps=0.1, lr_decay=2.0 * eta if method.lr_decay else 0.0)
        case FrozenAdam():
            method = dataclasses.replace(method, freeze_at=round(TIME / 2 / eta))
        case Muon():
            method = dataclasses.replace(method, precision=None)
        case Projected():
            method = dataclasses.replace(method, rtol=1e-9)
        case AtEdgeRatio():
            method = dataclasses.replace(method, growth=1e6, rtol=1e-9)
            start = network().start
            _, state = method.look(network(), network().at(start), method.init(start))
            assert state.sharpness is not None
            ratio = state.sharpness / method.method.critical_curvature_at(state.method)
            method = dataclasses.replace(method, ratio=ratio)
    return method


def lag(method: AnyMethod) -> float:
    """Steps over which its gradients are averaged, which are to be few."""
    if hasattr(method, "methods"):
        return max(map(lag, method.methods))
    if hasattr(method, "method"):
        return lag(method.method)
    kept = method.betas[0] if hasattr(method, "betas") else getattr(method, "momentum", getattr(method, "beta", 0))
    return 1.0 / (1.0 - kept)


def descended(method: AnyMethod, steps: int) -> tuple[Tensor, list[float]]:
    """Where a method is after so many steps, and how long they were."""
    objective = network()
    w, state, etas = objective.start, method.init(objective.start), []
    for _ in range(steps):
        gradient, state = method.look(objective, objective.at(w), state)
        etas.append(method.step_size_at(state))
        w, state = method.step(w, gradient, state)
    return w, etas


def flowed(method: AnyMethod, etas: list[float]) -> Tensor:
    """Where its stable flow is in the same time."""
    objective = network()
    flow = StableFlow(method, rtol=1e-5)
    w, state = objective.start, flow.init(objective, objective.start, seed=0)
    for eta in etas:
        w, state = flow.advance(objective, objective.at(w, products=False), state, eta)
    return w


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.samples])
def test_halving_the_step_size_halves_the_distance_to_the_stable_flow(name: str) -> None:
    make, distances = CASES[name].make, []
    first = max(40, round(8 * lag(make(0.1))))
    for steps in (first, 2 * first):
        eta = TIME / steps
        method = regular(make(eta).on(network().space), eta)
        w, etas = descended(method, steps)
        distances.append(float((w - flowed(method, etas)).norm()))
    # An average over n steps leaves terms of the relative order n/steps beside the first-order one.
    assert 0.88 < math.log2(distances[0] / distances[1]) < 1.3


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.samples])
def test_the_noise_of_batches_falls_with_the_root_of_the_step_size(name: str) -> None:
    # Each batch errs by itself, so that their sum over a time is √(steps) of them, each of length η.
    squares = []
    for steps in (40, 160):
        method = CASES[name].make(TIME / steps)
        mean = flowed(method, [TIME / steps] * steps)
        ends = [descended(dataclasses.replace(method, seed=seed), steps)[0] for seed in range(16)]
        squares.append(sum(float((w - mean).square().sum()) for w in ends))
    # The root of a ratio of two means over 16 squared distances, each a sum over a few directions.
    assert math.sqrt(squares[0] / squares[1]) == pytest.approx(2.0, rel=0.3)


@pytest.mark.parametrize("name", CASES)
def test_where_a_central_flow_is_refused_a_stable_flow_is_there_as_it_says(name: str) -> None:
    method = CASES[name].make(0.01)
    try:
        CentralFlow(method)
    except SettingError as refused:
        assert f"StableFlow({type(method).__name__}(…))" in str(refused)
    assert StableFlow(method).described == method


# Scalar RMSProp tells the length of its step by its critical curvature, and its flow by P.
@pytest.mark.parametrize(
    "name",
    [
        name
        for name in CASES
        if any(kind in name for kind in ("muon", "rmsprop", "adam", "adagrad")) and "scalar" not in name
    ],
)
def test_its_preconditioner_is_that_of_a_method_whose_averages_are_at_rest(name: str) -> None:
    objective, eta = network(), 1e-5
    method = regular(CASES[name].make(eta).on(objective.space), eta)
    w, state = objective.start, method.init(objective.start)
    # An average of gradients at one point comes to rest; step size and squares hardly change it.
    for _ in range(100):
        gradient, state = method.look(objective, objective.at(objective.start), state)
        _, state = method.step(w, gradient, state)
    flow = StableFlow(method)
    v, flowing = objective.start, flow.init(objective, objective.start, seed=0)
    for _ in range(100):
        v, flowing = flow.advance(objective, objective.at(v), flowing, eta)
    ours = flow.preconditioner(objective.at(v), flowing)
    theirs = method.preconditioner(w, gradient, state)
    probe = torch.linspace(-1.0, 1.0, objective.size, dtype=torch.float64)
    assert ours is not None
    torch.testing.assert_close(ours @ probe, theirs @ probe, rtol=0.02, atol=1e-3)
