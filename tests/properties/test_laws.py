"""Laws that tie the rooms together, tried on random problems."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import edgewise as ew
from edgewise.curvature import GaussNewton, Tracker
from edgewise.dynamics import Recipe
from edgewise.foundation import decode, encode
from edgewise.linalg import Diagonal
from edgewise.methods import Method
from edgewise.objectives import Objective, Way
from edgewise.problems import deep_linear, digits_mlp
from reference.runs import bowl, final_point, network

ACTIVATIONS = st.sampled_from([nn.Tanh, nn.GELU, nn.SiLU, nn.Softplus])
seeds = st.integers(0, 2**20)
step_sizes = st.floats(1e-4, 1.0)
schedules = st.one_of(step_sizes, st.builds(ew.Drop, step_sizes, step_sizes, st.integers(0, 50)))
methods: st.SearchStrategy[Method[Any]] = st.one_of(
    st.builds(ew.GradientDescent, schedules), st.builds(ew.HeavyBall, schedules, st.floats(0.0, 0.99))
)
# Made in the test: beartype, which checks every call, draws at random what hypothesis may not.
probes = st.lists(
    st.one_of(
        st.fixed_dictionaries({"k": st.integers(1, 4), "above": st.none() | st.floats(0.1, 2.0)}).map(
            lambda settings: (ew.Sharpness, settings)
        ),
        st.fixed_dictionaries({"every": st.integers(1, 9)}).map(lambda settings: (ew.MidpointSharpness, settings)),
        st.fixed_dictionaries({"count": st.integers(1, 600), "seed": st.integers(0, 2**62)}).map(
            lambda settings: (ew.Projections, settings)
        ),
    )
)
events = st.lists(
    st.one_of(
        st.builds(ew.Diverged, st.floats(1.5, 1e300)),
        st.builds(ew.LossBelow, st.floats(-1e6, 1e6)),
        st.builds(ew.EdgeHeld, st.integers(1, 10**6)),
        st.just(ew.AccuracyAbove(float("inf"))),
    )
)


def vectors(size: int, seed: int, count: int = 2) -> Tensor:
    return torch.randn(count, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def near(objective: Objective, seed: int) -> Tensor:
    return objective.start + 0.1 * vectors(objective.size, seed, 1)[0]


@settings(max_examples=8)
@given(
    activation=ACTIVATIONS,
    classes=st.booleans(),
    seed=seeds,
    way=st.sampled_from([ew.DoubleBackward(), ew.DoubleBackward(memory_cap=0), ew.ForwardOverReverse()]),
    matrix=st.sampled_from([ew.Hessian, GaussNewton]),
)
def test_a_curvature_is_symmetric_and_linear(
    activation: type[nn.Module], classes: bool, seed: int, way: Way, matrix: Any
) -> None:
    objective = network(activation, classes=classes, seed=seed, chunk_size=5).using(way)
    A = matrix(objective, near(objective, seed))
    u, v = vectors(objective.size, seed + 1)
    scale = float((A @ u).norm() * v.norm())
    assert abs(float(v @ (A @ u) - u @ (A @ v))) <= 1e-12 * scale
    combined = A @ (2 * u - 3 * v)
    assert float((combined - 2 * (A @ u) + 3 * (A @ v)).norm()) <= 1e-12 * float(combined.norm() + scale)


@settings(max_examples=5)
@given(activation=ACTIVATIONS, classes=st.booleans(), seed=seeds, chunk_size=st.sampled_from([1, 5, 7, 12]))
def test_chunks_change_the_memory_and_not_the_run(
    activation: type[nn.Module], classes: bool, seed: int, chunk_size: int
) -> None:
    runs = [
        ew.evolve(
            {"gd": ew.GradientDescent(0.05)},
            network(activation, classes=classes, seed=seed, chunk_size=size),
            3,
            [ew.Sharpness(rtol=1e-9)],
        )
        for size in (None, chunk_size)
    ]
    for name in ("loss", "sharpness"):
        np.testing.assert_allclose(*(run.dataset[name].values for run in runs), rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(*(final_point(run, "gd") for run in runs), rtol=1e-10, atol=1e-12)


@settings(max_examples=30)
@given(method=methods, seed=seeds, steps=st.integers(1, 4))
def test_a_step_leaves_its_inputs_unchanged(method: Method[Any], seed: int, steps: int) -> None:
    w = vectors(5, seed, 1)[0]
    state = method.init(w)
    for t in range(steps):
        g = vectors(5, seed + t, 1)[0]
        before: dict[str, Tensor] = {}
        tree = encode((w, g, state), before)
        copies = {name: tensor.clone() for name, tensor in before.items()}
        following = method.step(w, g, state)
        after: dict[str, Tensor] = {}
        assert encode((w, g, state), after) == tree
        assert all(torch.equal(after[name], copies[name]) for name in copies)
        w, state = following


@settings(max_examples=40)
@given(
    processes=st.dictionaries(st.text(max_size=9), methods, max_size=3), probes=probes, until=events, seed=seeds
)
def test_a_recipe_is_read_back_as_it_was_written(
    processes: dict[str, Method[Any]], probes: list[Any], until: list[Any], seed: int
) -> None:
    processes = {name: method for name, method in processes.items() if name not in _TAGS}
    problem = dataclasses.replace(digits_mlp(n=seed + 1, widths=(seed % 9 + 1,)), dtype=torch.float64)
    recipe = Recipe(
        processes=processes,
        problem=problem,
        steps=seed,
        probes=tuple(probe(**settings) for probe, settings in probes),
        until=tuple(until),
        seed=seed,
    )
    assert decode(json.loads(json.dumps(encode(recipe), allow_nan=False))) == recipe


_TAGS = {"noun", "tensor", "tuple", "float", "dtype"}


@settings(max_examples=6)
@given(seed=seeds, lr=st.floats(0.01, 0.3))
def test_the_curvature_along_any_direction_is_at_most_the_sharpness(seed: int, lr: float) -> None:
    run = ew.evolve(
        {"gd": ew.GradientDescent(lr)}, network(seed=seed), 4, [ew.Sharpness(rtol=1e-6), ew.DirectionalCurvature()]
    )
    sharpness, bound = (run.dataset[name].values[0, :, 0] for name in ("sharpness", "sharpness_bound"))
    assert (run.directional_curvature.values[0] <= sharpness + bound).all()


@settings(max_examples=12)
@given(
    curvatures=st.lists(st.floats(0.1, 50.0), min_size=1, max_size=5),
    share=st.floats(0.05, 1.95),
    steps=st.integers(0, 15),
)
def test_every_mode_of_a_bowl_is_multiplied_by_one_minus_its_step(
    curvatures: list[float], share: float, steps: int
) -> None:
    lr = share / max(curvatures)  # below 2 ÷ sharpness: stable
    run = ew.evolve({"gd": ew.GradientDescent(lr)}, bowl(*curvatures), steps, [ew.Sharpness()])
    expected = (1 - lr * np.array(curvatures)) ** steps
    np.testing.assert_allclose(final_point(run, "gd").numpy(), expected, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(run.sharpness.values[0, :, 0], max(curvatures), rtol=2e-3)
    np.testing.assert_allclose(run.edge_ratio.values, run.sharpness.values * lr / 2, rtol=1e-12)
    assert run.outcomes["gd"].kind == "finished"


@settings(max_examples=12)
@given(share=st.floats(0.2, 3.0), beta=st.floats(0.0, 0.95))
def test_the_critical_curvature_is_where_a_bowl_stops_being_stable(share: float, beta: float) -> None:
    # `share` is the edge ratio of a one-dimensional bowl.
    if abs(share - 1) < 0.05:
        return
    method = ew.HeavyBall(0.1, beta)
    assert isinstance(method.critical_curvature, float)
    run = ew.evolve({"hb": method}, bowl(share * method.critical_curvature), 120, until=[ew.Diverged(1e3)])
    assert (run.outcomes["hb"].kind == "diverged") == (share > 1)


@settings(max_examples=25)
@given(
    entries=st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=12),
    k=st.integers(1, 4),
    factor=st.floats(0.1, 10.0),
)
def test_eigenvalues_scale_with_the_matrix_and_read_alike_cold_and_tracked(
    entries: list[float], k: int, factor: float
) -> None:
    k = min(k, len(entries))
    A = Diagonal(torch.tensor(entries, dtype=torch.float64))
    exact = torch.tensor(sorted(entries, reverse=True)[:k], dtype=torch.float64)
    cold = ew.eigenpairs(factor * A, k=k, rtol=1e-6)
    tolerance = 1e-6 * float(exact.abs().max()) + 1e-10
    assert ((cold.values - factor * exact).abs() <= factor * tolerance).all()
    tracker = Tracker(k=k, rtol=1e-6)
    state = tracker.init(seed=0)
    for _ in range(2):
        tracked, state = tracker.read(A, state)
        assert ((tracked.values - exact).abs() <= tolerance).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_is_the_same_problem_and_another_is_another(seed: int) -> None:
    first, again, other = (deep_linear(seed=s).objective() for s in (seed, seed, seed + 1))
    assert torch.equal(first.start, again.start)
    assert float(first.value(first.start)) == float(again.value(again.start))
    assert not torch.equal(first.start, other.start)
