"""What each probe reads, compared with the definition; and that reading changes nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import hessian

import edgewise as ew
from edgewise.dynamics import Probe
from edgewise.foundation import SettingError
from edgewise.objectives import Objective
from reference.bad_settings import as_a_user_types
from reference.runs import bowl, final_point, network

ALL_PROBES: list[Probe] = [
    ew.Loss(),
    ew.Accuracy(every=2),
    ew.GradientNorm(),
    ew.Sharpness(k=2),
    ew.MidpointSharpness(every=2),
    ew.DirectionalCurvature(every=3),
    ew.DistanceFromStart(),
    ew.Projections(3),
    ew.Oscillation(),
]


def quartic(w: Tensor) -> Tensor:
    """A function whose Hessian depends on w."""
    return (w**4).sum() / 12 + (w[0] * w[1] - 1) ** 2 + w.square().sum()


def iterates(objective: Objective, lr: float, steps: int) -> list[Tensor]:
    points = [objective.start]
    for _ in range(steps):
        points.append(points[-1].add(objective.gradient(points[-1]), alpha=-lr))
    return points


def sharpness_of(f: Callable[[Tensor], Tensor], w: Tensor) -> float:
    return float(torch.linalg.eigvalsh(hessian(f)(w))[-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("activation", "normalization"),
    [(nn.Tanh, False), (nn.GELU, False), (nn.SiLU, False), (nn.Tanh, True), (nn.GELU, True)],
)
def test_a_probe_changes_nothing(activation: type[nn.Module], normalization: bool, dtype: torch.dtype) -> None:
    objective = network(activation, normalization=normalization, dtype=dtype, classes=True)
    start = objective.start
    random_state = torch.get_rng_state()
    bare, watched = (ew.evolve({"gd": ew.GradientDescent(0.5)}, objective, 6, p) for p in ([], ALL_PROBES))
    assert torch.equal(final_point(bare, "gd"), final_point(watched, "gd"))
    np.testing.assert_array_equal(bare.loss.values, watched.loss.values)
    assert torch.equal(final_point(bare, "gd"), iterates(objective, 0.5, 6)[-1])
    assert torch.equal(objective.start, start)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert objective.start.grad is None


def test_every_probe_reads_its_definition() -> None:
    start = torch.tensor([1.5, -0.5, 0.3]).double()
    objective = Objective.from_function(quartic, 3, start=start)
    probes = [ew.Sharpness(k=2, rtol=1e-11) if isinstance(probe, ew.Sharpness) else probe for probe in ALL_PROBES]
    run = ew.evolve({"gd": ew.GradientDescent(0.05)}, objective, 6, probes)
    one = run.dataset.sel(process="gd")
    points = iterates(objective, 0.05, 6)
    for t, w in enumerate(points):
        row, H = one.sel(step=t), hessian(quartic)(w)
        g = objective.gradient(w)
        np.testing.assert_allclose(row.loss, quartic(w), rtol=1e-13)
        np.testing.assert_allclose(row.gradient_norm, g.norm(), rtol=1e-13)
        np.testing.assert_allclose(row.sharpness, torch.linalg.eigvalsh(H).flip(0)[:2], rtol=1e-10)
        np.testing.assert_allclose(row.distance_from_start, (w - start).norm(), atol=1e-14, rtol=1e-13)
        if t % 3 == 0:
            np.testing.assert_allclose(row.directional_curvature, g @ H @ g / (g @ g), rtol=1e-12)
            assert float(row.directional_curvature) <= float(row.sharpness.sel(rank=1)) * (1 + 1e-12)
        else:
            assert np.isnan(row.directional_curvature)
    assert bool(one.accuracy.isnull().all())  # a plain function has no classes


def test_midpoints_are_written_at_the_step_in_the_middle() -> None:
    objective = Objective.from_function(quartic, 3, start=torch.tensor([1.5, -0.5, 0.3]))
    method = ew.GradientDescent(ew.Drop(0.05, 0.02, step=5))
    run = ew.evolve({"gd": method}, objective, 8, [ew.MidpointSharpness(rtol=1e-11), ew.Sharpness()])
    one = run.dataset.sel(process="gd")
    points = [objective.start]
    for t in range(8):
        points.append(points[-1].add(objective.gradient(points[-1]), alpha=-method.lr.at(t)))
    middles = [(points[t - 1] + 2 * points[t] + points[t + 1]) / 4 for t in range(1, 8)]
    expected = [np.nan, *(sharpness_of(quartic, w) for w in middles), np.nan]
    np.testing.assert_allclose(one.midpoint_sharpness.sel(rank=1), expected, rtol=1e-10)
    assert abs(one.midpoint_sharpness - one.sharpness).max() > 1e-3  # they are not the same measurement
    ratio = (one.midpoint_sharpness / one.critical_curvature).sel(rank=1)
    np.testing.assert_allclose(one.midpoint_edge_ratio.sel(rank=1), ratio, rtol=1e-13)
    assert bool((one.midpoint_products.sel(step=slice(1, 7)) >= 1).all())


def test_the_midpoint_of_an_oscillation_is_its_centre() -> None:
    # On the bowl at ηλ = 2 the iterate flips between ±1, and the midpoint of any three is exactly zero:
    # there the Hessian of ½λw² + w⁴ is λ, while the iterates see λ + 12.
    objective = Objective.from_function(lambda w: (2 * w**2 + w**4).sum(), 1, start=torch.tensor([1.0]))
    run = ew.evolve({"gd": ew.GradientDescent(0.25)}, objective, 3, [ew.MidpointSharpness(), ew.Sharpness()])
    np.testing.assert_array_equal(run.sharpness.values[0, :, 0], 16.0)
    np.testing.assert_array_equal(run.midpoint_sharpness.values[0, 1:3, 0], 4.0)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_readings_lie_at_the_multiples_of_every(every: int) -> None:
    probes: list[Probe] = [
        ew.Sharpness(every=every),
        ew.MidpointSharpness(every=every),
        ew.GradientNorm(every=every),
        ew.Accuracy(every=every),
    ]
    run = ew.evolve({"gd": ew.GradientDescent(0.2)}, network(classes=True), 7, probes)
    one = run.dataset.sel(process="gd")
    due = {t for t in range(8) if t % every == 0}
    for name in ("sharpness", "gradient_norm", "accuracy", "midpoint_sharpness"):
        read = one[name].sel(rank=1) if "rank" in one[name].dims else one[name]
        rows = set(np.flatnonzero(np.isfinite(read)).tolist())
        assert rows == (due - {0, 7} if name == "midpoint_sharpness" else due), name
    assert not one.loss.isnull().any()


def test_products_are_counted() -> None:
    probes: list[Probe] = [ew.Sharpness(every=3), ew.DirectionalCurvature()]
    run = ew.evolve({"gd": ew.GradientDescent(0.2)}, network(), 6, probes)
    products = run.products.values[0]
    assert (products[[1, 2, 4, 5]] == 1).all()  # the direction alone
    assert (products[[3, 6]] >= 3).all()  # a pair, its guard, and the direction


def test_projections_are_coordinates_along_one_fixed_matrix() -> None:
    objective = bowl(1.0, 2.0, 3.0, start=[1.0, -2.0, 0.5])
    method = ew.GradientDescent(0.1)
    first = ew.evolve({"a": method, "b": method}, objective, 3, [ew.Projections(5)], seed=1)
    again = ew.evolve({"a": method}, bowl(1.0, 2.0, 3.0, start=[1.0, -2.0, 0.5]), 3, [ew.Projections(5)], seed=2)
    assert first.projection.dims == ("process", "step", "direction")
    np.testing.assert_array_equal(first.projection.sel(process="a"), first.projection.sel(process="b"))
    np.testing.assert_array_equal(first.projection.sel(process="a"), again.projection.sel(process="a"))
    # Linear in w, with one matrix for all steps: four iterates in three dimensions are dependent.
    w = torch.stack(iterates(objective, 0.1, 3)).numpy()
    R = np.linalg.lstsq(w[:3], first.projection.values[0, :3], rcond=None)[0]
    np.testing.assert_allclose(w @ R, first.projection.values[0], rtol=1e-10)
    other = ew.evolve({"a": method}, objective, 0, [ew.Projections(5, seed=8)])
    assert not np.allclose(other.projection.values[0, 0], first.projection.values[0, 0])


def test_projections_are_gaussian() -> None:
    n = 4000
    objective = Objective.from_function(lambda w: w.sum(), n, start=torch.ones(n))
    run = ew.evolve(ew.GradientDescent(1e-9), objective, 0, [ew.Projections(50)])
    scaled = run.projection.values.ravel() / np.sqrt(n)  # fifty standard normal numbers
    assert abs(scaled.mean()) < 5 / np.sqrt(50)
    assert 0.5 < scaled.std() < 1.5


def test_directions_stay_out_of_the_checkpoints() -> None:
    run = ew.evolve({"gd": ew.GradientDescent(0.1)}, bowl(*[1.0] * 50), 2, [ew.Projections(40)])
    assert sum(tensor.numel() for tensor in run.record.checkpoint().tensors.values()) <= 4 * 50


def test_a_vanishing_gradient_has_no_direction() -> None:
    run = ew.evolve(
        ew.GradientDescent(0.1), bowl(1.0, start=[0.0]), 2, [ew.DirectionalCurvature(), ew.Sharpness()]
    )
    assert bool(run.dataset.directional_curvature.isnull().all())
    np.testing.assert_array_equal(run.sharpness, 1.0)


def test_pairs_above_a_fraction_of_the_critical_curvature_come_and_go() -> None:
    # The critical curvature is 60, and 180 after the drop: above 0.15 of it lie three eigenvalues, then one.
    objective = bowl(35.0, 18.0, 12.0, 3.0, 1.0, 0.5)
    method = ew.GradientDescent(ew.Drop(0.1 / 3, 0.1 / 9, 3))
    run = ew.evolve({"gd": method}, objective, 6, [ew.Sharpness(k=1, above=0.15, rtol=1e-4)])
    count = np.isfinite(run.sharpness.values[0]).sum(axis=1)
    np.testing.assert_array_equal(count, [3, 3, 3, 1, 1, 1, 1])
    np.testing.assert_allclose(run.sharpness.values[0, 0], [35.0, 18.0, 12.0], rtol=1e-3)


def test_unconverged_readings_are_marked() -> None:
    # Nothing is exact to 1e-16: the bound is never met, and says so.
    run = ew.evolve({"gd": ew.GradientDescent(0.3)}, network(dtype=torch.float32), 4, [ew.Sharpness(rtol=1e-12)])
    assert bool((run.sharpness_converged.values == 0).all())
    assert bool((run.sharpness_bound.values > 1e-12 * run.sharpness.values).all())


@pytest.mark.parametrize(
    ("probe", "sentence"),
    [
        (lambda: ew.Sharpness(every=0), "every=0: a probe reads every so many steps. Type every=1 or more."),
        (lambda: ew.Accuracy(every=-1), "every=-1"),
        (lambda: ew.Accuracy(every="x"), "every='x': a probe reads every so many steps. Type every=1 or more."),
        (lambda: ew.Accuracy(every=True), "every=True"),
        (lambda: ew.GradientNorm(every=0), "every=0"),
        (lambda: ew.DirectionalCurvature(every=0), "every=0"),
        (lambda: ew.DistanceFromStart(every=0), "every=0"),
        (lambda: ew.MidpointSharpness(every=0), "every=0"),
        (lambda: ew.Projections(every=0), "every=0"),
        (lambda: ew.Projections(0), "count=0: there is nothing to project on. Type count=1 or more."),
        (lambda: ew.Sharpness(k=0), "k=0: it has to be at least 1. Type k=1."),
        (lambda: ew.MidpointSharpness(k=0), "k=0"),
        (lambda: ew.Sharpness(rtol=0.0), "rtol=0.0: a relative tolerance lies between 0 and 1. Type rtol=1e-3."),
        (
            lambda: ew.Sharpness(above=-1.0),
            "above=-1.0: a fraction of the critical curvature is positive. Type above=0.8.",
        ),
    ],
)
def test_impossible_settings_are_refused_when_the_probe_is_made(probe: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(SettingError) as caught, as_a_user_types():
        probe()
    assert str(caught.value).startswith(sentence)


def test_a_loss_that_is_read_now_and_then() -> None:
    run = ew.evolve(ew.GradientDescent(0.1), bowl(2.0), 5, [ew.Loss(every=2)])
    np.testing.assert_array_equal(np.isfinite(run.loss.values[0]), [True, False] * 3)


def test_the_oscillation_is_the_displacement_along_the_top_eigenvector() -> None:
    """On a quadratic above its edge x multiplies by 1 − ηλ at every step; the definition gives its size."""
    eigenvalues, eta, start = torch.tensor([3.0, 1.0], dtype=torch.float64), 0.7, 0.01
    objective = Objective.from_function(
        lambda w: (eigenvalues * w**2).sum() / 2, 2, start=torch.full((2,), start, dtype=torch.float64)
    )
    run = ew.evolve({"gd": ew.GradientDescent(eta)}, objective, 12, [ew.Oscillation()])
    read = run.oscillation.values[0]
    w = start * (1 - eta * 3.0) ** np.arange(13)
    expected = (2 * w[1:-1] - w[:-2] - w[2:]) / 4
    assert np.isnan(read[[0, -1]]).all()
    np.testing.assert_allclose(np.abs(read[1:-1]), np.abs(expected), rtol=1e-10)
    assert (np.sign(read[2:-1]) == -np.sign(read[1:-2])).all()
