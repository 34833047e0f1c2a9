"""What the stochastic and subspace probes read, against the definitions; a resumed run reads the same."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import edgewise as ew
from edgewise.curvature import batch_sharpness, dominant_fraction, jacobian_alignment
from edgewise.dynamics import BatchSharpness, DominantSubspace, JacobianAlignment, Probe, RelativeProgress
from edgewise.foundation import ObjectiveError, SettingError, derive_seed
from edgewise.methods import SGD, GradientDescent
from edgewise.objectives import Objective
from reference.runs import assert_same_readings, bowl, final_point, network

F64 = torch.float64


def deep_network() -> Objective:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    numbers = torch.Generator().manual_seed(1)
    x, y = (torch.randn(10, size, generator=numbers, dtype=F64) for size in (3, 2))
    return Objective.from_module(module, nn.MSELoss(), (x, y))


def iterates(objective: Objective, lr: float, steps: int) -> list[Tensor]:
    points = [objective.start]
    for _ in range(steps):
        points.append(points[-1].add(objective.gradient(points[-1]), alpha=-lr))
    return points


PROBES: list[Probe] = [
    BatchSharpness(3, max_batches=10, every=3),
    RelativeProgress(),
    RelativeProgress(every=3),
    DominantSubspace(2, every=2),
    JacobianAlignment(samples=4, every=4),
]


def test_batch_sharpness_is_a_function_of_seed_and_step() -> None:
    objective = network()
    run = ew.evolve({"gd": GradientDescent(0.1)}, objective, 6, [PROBES[0]], seed=3)
    one = run.dataset.sel(process="gd")
    for step, w in enumerate(iterates(objective, 0.1, 6)):
        row = one.sel(step=step)
        if step % 3:
            assert np.isnan(row.batch_sharpness)
            continue
        seed = derive_seed(derive_seed(3, "gd", "BatchSharpness"), str(step))
        found = batch_sharpness(objective, w, 3, max_batches=10, seed=seed)
        assert float(row.batch_sharpness) == found.value
        assert float(row.batch_sharpness_error) == found.half_width()
        assert float(row.batch_sharpness_outside) == found.outside
        assert float(row.batch_sharpness_batches) == found.batches
        assert float(row.batch_edge_ratio) == found.value / 20.0  # 2/η = 20


def test_batches_of_all_samples_are_the_curvature_along_the_gradient() -> None:
    probes = [BatchSharpness(12, every=1), ew.DirectionalCurvature()]
    run = ew.evolve({"gd": GradientDescent(0.1)}, network(), 3, probes)
    np.testing.assert_allclose(run.batch_sharpness, run.directional_curvature, rtol=1e-13)
    np.testing.assert_array_equal(run.dataset.batch_sharpness_error, 0.0)


def test_relative_progress_on_a_quadratic_is_linear_in_the_smoothness() -> None:
    lr, curvatures = 0.15, torch.tensor([12.0, 3.0, 0.5], dtype=F64)
    run = ew.evolve({"gd": GradientDescent(lr)}, bowl(12.0, 3.0, 0.5), 20, [RelativeProgress()])
    one = run.dataset.sel(process="gd")
    progress, smoothness = one.relative_progress.values, one.directional_smoothness.values
    assert np.isnan(progress[-1])
    assert np.isnan(smoothness[-1])
    np.testing.assert_allclose(progress[:-1], -1 + lr / 2 * smoothness[:-1], rtol=0, atol=1e-12)
    # On a quadratic DS is the curvature along the gradient, Σ λ g² / Σ g² with g = λ (1 − ηλ)^t.
    g = curvatures * (1 - lr * curvatures) ** torch.arange(20)[:, None]
    np.testing.assert_allclose(smoothness[:-1], (curvatures * g**2).sum(1) / (g**2).sum(1), rtol=1e-11)


def test_relative_progress_by_its_definition_however_often_it_is_read() -> None:
    objective, lr = deep_network(), 0.3
    points = iterates(objective, lr, 7)
    runs = [ew.evolve({"gd": GradientDescent(lr)}, objective, 7, [RelativeProgress(every=n)]) for n in (1, 3)]
    for step, (w, after) in enumerate(pairwise(points)):
        g, h = objective.gradient(w), objective.gradient(after)
        progress = float((objective.value(after) - objective.value(w)) / (lr * g @ g))
        smoothness = float(g @ (g - h) / (lr * g @ g))
        for run, every in zip(runs, (1, 3), strict=True):
            row = run.dataset.sel(process="gd", step=step)
            if step % every == 0:
                assert float(row.relative_progress) == pytest.approx(progress, rel=1e-9)
                assert float(row.directional_smoothness) == pytest.approx(smoothness, rel=1e-9)
            else:
                assert np.isnan(row.relative_progress)
    # Remembered or evaluated again, the number has the same bits.
    a, b = (run.dataset.sel(process="gd").relative_progress.values[[0, 3, 6]] for run in runs)
    np.testing.assert_array_equal(a, b)


def test_where_nothing_pulls_there_is_no_progress_to_relate() -> None:
    run = ew.evolve(
        {"gd": GradientDescent(0.1)}, bowl(2.0, start=[0.0]), 3, [RelativeProgress(), DominantSubspace(1)]
    )
    assert bool(run.dataset.relative_progress.isnull().all())
    assert bool(run.dataset.dominant_fraction.isnull().all())
    assert bool(run.dataset.mean_dominant_fraction.isnull().all())


@pytest.mark.parametrize("every", [1, 2])
def test_the_mean_of_two_steps_leaves_the_oscillation_out(every: int) -> None:
    # At ηλ = 2 the first mode flips for ever and the gradient is nearly all of it; the mean of two gradients has
    # none of it. The second shrinks by 1 − ηλ = 0.9 a step.
    lr, lambdas, start = 0.2, (10.0, 0.5), [1.0, 1.0]
    run = ew.evolve(
        {"gd": GradientDescent(lr)}, bowl(*lambdas, start=start), 6, [DominantSubspace(1, every=every)]
    )
    one = run.dataset.sel(process="gd")
    for step in range(0, 7, every):
        slow = 0.5 * 0.9**step
        assert float(one.dominant_fraction.sel(step=step)) == pytest.approx(10 / np.hypot(10, slow), rel=1e-9)
        mean = float(one.mean_dominant_fraction.sel(step=step))
        assert np.isnan(mean) if step == 0 else mean < 1e-7


def test_the_dominant_fraction_on_a_network() -> None:
    objective = deep_network()
    run = ew.evolve({"gd": GradientDescent(0.2)}, objective, 3, [DominantSubspace(2, rtol=1e-10)])
    points = iterates(objective, 0.2, 3)
    for step, w in enumerate(points):
        at = objective.at(w)
        H = at.hvp_block(torch.eye(objective.size, dtype=F64))
        U = torch.linalg.eigh((H + H.T) / 2).eigenvectors[:, -2:]
        row = run.dataset.sel(process="gd", step=step)
        # Vectors are good to the square root of what their values are.
        assert float(row.dominant_fraction) == pytest.approx(dominant_fraction(at.gradient, U), abs=1e-4)
        if step:
            mean = (at.gradient + objective.gradient(points[step - 1])) / 2
            assert float(row.mean_dominant_fraction) == pytest.approx(dominant_fraction(mean, U), abs=1e-4)


def test_jacobian_alignment_is_read_by_layer() -> None:
    objective = deep_network()
    run = ew.evolve({"gd": GradientDescent(0.2)}, objective, 2, [JacobianAlignment(samples=3, every=2)])
    row = run.dataset.sel(process="gd", step=2)
    expected = jacobian_alignment(objective, iterates(objective, 0.2, 2)[-1], 3)
    assert float(row.jacobian_alignment) == expected.alignment
    assert tuple(row.layer_overlap.values) == expected.overlaps
    assert tuple(row.layer_norm.values) == expected.norms


def test_reading_changes_nothing() -> None:
    objective = deep_network()
    method = SGD(0.2, 4, momentum=0.5)
    state = torch.random.get_rng_state()
    bare, watched = (ew.evolve({"sgd": method}, objective, 6, probes) for probes in ([], PROBES[:1] + PROBES[2:]))
    assert torch.equal(final_point(bare, "sgd"), final_point(watched, "sgd"))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("probes", [PROBES[:2], PROBES[2:]], ids=["first", "second"])
def test_a_resumed_run_reads_the_same_bits(probes: list[Probe], tmp_path: Path) -> None:
    problem, processes = deep_network(), {"sgd": SGD(0.2, 4), "gd": GradientDescent(0.3)}
    whole = ew.evolve(processes, problem, 9, probes, store=tmp_path / "whole")
    part = ew.evolve(processes, problem, 4, probes, store=tmp_path / "part")
    assert_same_readings(whole, part.resume(9, objective=problem))


def test_on_the_way_to_infinity_there_is_less_and_less_to_read() -> None:
    # Nothing stops this run: a step later the loss is infinite.
    probes = [*PROBES[:2], DominantSubspace(2), JacobianAlignment(every=1)]
    run = ew.evolve({"gd": GradientDescent(1e160)}, deep_network(), 6, probes, until=[])
    one = run.dataset.sel(process="gd")
    assert not np.isfinite(one.loss.values[-1])
    for name in ("batch_sharpness", "relative_progress", "dominant_fraction", "jacobian_alignment"):
        values = one[name].values
        # What belongs to the first step is known one step later, when there is no loss to compare with.
        assert np.isfinite(values[0]) or name == "relative_progress"
        assert not np.isinf(values).any(), name
        assert np.isnan(values[-1]), name


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: BatchSharpness(0), "batch_size=0: a batch has at least one sample"),
        (lambda: BatchSharpness(4, rtol=2.0), r"rtol=2\.0"),
        (lambda: BatchSharpness(4, max_batches=1), "max_batches=1"),
        (lambda: BatchSharpness(4, every=0), "every=0"),
        (lambda: RelativeProgress(every=0), "every=0"),
        (lambda: DominantSubspace(0), "k=0"),
        (lambda: DominantSubspace(every=0), "every=0"),
        (lambda: JacobianAlignment(samples=0), r"samples=0: a mean is over something\. Type samples=16\."),
        (lambda: JacobianAlignment(every=0), "every=0"),
    ],
)
def test_settings_outside_their_range(make: object, sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        make()  # type: ignore[operator]


def test_what_cannot_be_read_is_refused_before_the_run_begins() -> None:
    with pytest.raises(
        SettingError, match=r"batch_size=13 and 12 samples: .*Type batch_size=12, or replacement=True"
    ):
        ew.evolve({"gd": GradientDescent(0.1)}, network(), 2, [BatchSharpness(13)])
    with pytest.raises(ObjectiveError, match="it is one number, not a mean over samples"):
        ew.evolve({"gd": GradientDescent(0.1)}, bowl(1.0), 2, [BatchSharpness(1)])
    with pytest.raises(ObjectiveError, match="2 layers that have parameters"):
        ew.evolve({"gd": GradientDescent(0.1)}, network(), 2, [JacobianAlignment()])
    ew.evolve({"gd": GradientDescent(0.1)}, network(), 1, [BatchSharpness(13, max_batches=2, replacement=True)])
