"""Batch sharpness against the exact expectation, summed up over all batches."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgewise.curvature import BatchCurvature, batch_sharpness, directional_curvature
from edgewise.curvature.stochastic import _estimate
from edgewise.foundation import ObjectiveError, SettingError, generator
from edgewise.objectives import Objective

N, B = 6, 2
F64 = torch.float64
_draw = torch.Generator().manual_seed(3)
X, Y = torch.randn(N, 3, generator=_draw, dtype=F64), torch.randn(N, 1, generator=_draw, dtype=F64)
START = torch.tensor([0.5, -1.0, 0.25], dtype=F64)


def regression(x: Tensor = X, y: Tensor = Y) -> Objective:
    layer = nn.Linear(x.shape[1], 1, bias=False, dtype=x.dtype)
    with torch.no_grad():
        layer.weight.copy_(START[: x.shape[1]])
    return Objective.from_module(layer, nn.MSELoss(), (x, y))


def along(batch: tuple[int, ...]) -> tuple[float, float]:
    """gᵀHg and ‖g‖² of a batch, from g = 2Xᵀr/b and H = 2XᵀX/b."""
    x, y = X[list(batch)], Y[list(batch), 0]
    g, H = 2 * x.T @ (x @ START - y) / len(batch), 2 * x.T @ x / len(batch)
    return float(g @ H @ g), float(g @ g)


def exact(batches: list[tuple[int, ...]]) -> tuple[float, float]:
    """The expectation over these batches with the ratio inside, and outside."""
    a, b = np.array([along(batch) for batch in batches]).T
    return float((a / b).mean()), float(a.mean() / b.mean())


WITHOUT = list(itertools.combinations(range(N), B))
WITH = list(itertools.product(range(N), repeat=B))


@pytest.mark.parametrize("replacement", [False, True])
def test_it_converges_to_the_exact_expectation(replacement: bool) -> None:
    inside, outside = exact(WITH if replacement else WITHOUT)
    # With and without replacement, inside and outside are four different numbers: none passes for another.
    assert abs(inside - outside) > 0.3
    assert abs(np.subtract(exact(WITH), exact(WITHOUT))).min() > 0.1
    found = batch_sharpness(regression(), START, B, rtol=1e-9, max_batches=300, seed=1, replacement=replacement)
    assert abs(found.value - inside) < 4 * found.standard_error < 0.25 * inside
    assert abs(found.outside - outside) < 4 * found.outside_error < 0.3 * outside
    assert (found.batches, found.converged, found.batch_size) == (300, False, B)
    assert found.products == pytest.approx(300 * B / N)


def test_its_intervals_hold_what_they_promise() -> None:
    inside, outside = exact(WITHOUT)
    pairs = [along(batch) for batch in WITHOUT]
    trials, numbers = 1000, torch.Generator().manual_seed(0)
    values, errors, hits, hits_outside, narrow = [], [], 0, 0, 0
    for _ in range(trials):
        drawn = [pairs[i] for i in torch.randint(len(pairs), (60,), generator=numbers)]
        found = _estimate([a for a, _ in drawn], [b for _, b in drawn], B, 1.0, 1e-9)
        hits += found.interval()[0] <= inside <= found.interval()[1]
        narrow += found.interval(0.5)[0] <= inside <= found.interval(0.5)[1]
        hits_outside += found.outside_interval()[0] <= outside <= found.outside_interval()[1]
        values.append(found.value)
        errors.append(found.standard_error)
    # Three standard deviations of a binomial: 2.1 points about 95 %, 4.8 about 50 %. The delta method, which is
    # first order in 1/60, is allowed two more.
    assert abs(hits / trials - 0.95) < 0.021
    assert abs(narrow / trials - 0.5) < 0.048
    assert abs(hits_outside / trials - 0.95) < 0.041
    # The standard errors are those of the scatter, to what 1,000 values tell of it (2.2 %, three of them).
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.07)


@pytest.mark.parametrize("rtol", [0.06, 0.2])
def test_it_stops_where_the_relative_standard_error_is_small_enough(rtol: float) -> None:
    objective = regression()
    found = batch_sharpness(objective, START, B, rtol=rtol, seed=4)
    assert found.converged
    assert found.standard_error <= rtol * found.value
    assert found.products == pytest.approx(found.batches * B / N)
    if found.batches > 32:
        one_less = batch_sharpness(objective, START, B, rtol=rtol, max_batches=found.batches - 1, seed=4)
        assert not one_less.converged
        assert one_less.standard_error > rtol * one_less.value
    # The looser tolerance is met at the first look, after the least number of batches.
    assert (found.batches == 32) == (rtol == 0.2)


def test_the_whole_data_set_is_the_curvature_along_the_gradient() -> None:
    objective = regression()
    point = objective.at(START)
    curvature = directional_curvature(point, point.gradient).value
    found = batch_sharpness(objective, START, N)
    assert found.value == pytest.approx(curvature, rel=1e-14)
    assert found.outside == pytest.approx(curvature, rel=1e-14)
    assert (found.standard_error, found.outside_error, found.half_width()) == (0.0, 0.0, 0.0)
    assert (found.batches, found.converged, found.products) == (1, True, 1.0)
    # With replacement a batch of that size is still a random one.
    assert batch_sharpness(objective, START, N, replacement=True, max_batches=40).standard_error > 0.0


def test_a_network_in_float32() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    targets = torch.tensor([0, 1, 1, 0, 1, 0])
    double = Objective.from_module(module.double(), nn.CrossEntropyLoss(), (X, targets))
    single = double.to(torch.float32)
    # The gradients are made tiny: squares below 1e-38 are nothing in float32.
    scaled = Objective.from_module(
        module.float(), lambda f, y: 1e-24 * nn.functional.cross_entropy(f, y), (X.float(), targets)
    )
    a, b, c = (batch_sharpness(o, o.start, 3, max_batches=40) for o in (double, single, scaled))
    assert b.value == pytest.approx(a.value, rel=1e-4)
    assert c.value == pytest.approx(1e-24 * a.value, rel=1e-4)


def test_batches_without_a_gradient_are_left_out() -> None:
    # Three samples are fitted exactly: one batch of one in two has no gradient, and no curvature to meet.
    y = (X @ START)[:, None].clone()
    y[3:] += 1.0
    objective = regression(X, y)
    found = batch_sharpness(objective, START, 1, rtol=1e-9, max_batches=100)
    assert 35 < found.batches < 65
    assert found.products == pytest.approx(100 / N)
    curvatures = 2 * X[3:].square().sum(1)  # of one sample along its own gradient: 2‖x‖²
    assert abs(found.value - float(curvatures.mean())) < 4 * found.standard_error


def test_the_same_seed_gives_the_same_number() -> None:
    objective = regression()
    state = torch.random.get_rng_state()
    a, b, c = (batch_sharpness(objective, START, B, max_batches=40, seed=s) for s in (7, 7, 8))
    assert a == b
    assert a.value != c.value
    assert torch.equal(torch.random.get_rng_state(), state)


def test_it_prints_its_doubt() -> None:
    found = BatchCurvature(
        value=2.0, standard_error=0.1, outside=3.0, outside_error=0.2, batch_size=4, batches=33,
        converged=False, products=1.0,
    )  # fmt: skip
    assert str(found) == "2 ± 0.2 (95 %, 33 batches, above the tolerance)"
    # t(0.975; 32 degrees of freedom) = 2.0369
    assert found.half_width() == pytest.approx(0.20369, abs=1e-5)
    assert found.outside_interval() == pytest.approx((3.0 - 0.40739, 3.0 + 0.40739), abs=1e-5)
    with pytest.raises(
        SettingError, match=r"confidence=95: a probability lies between 0 and 1\. Type confidence=0\.95"
    ):
        found.half_width(95)


def test_one_batch_with_a_gradient_says_nothing_about_its_error() -> None:
    y = (X @ START)[:, None].clone()
    y[5] += 1.0
    seed = next(s for s in range(50) if _seen(s) == 1)
    found = batch_sharpness(regression(X, y), START, 1, max_batches=4, seed=seed)
    assert (found.batches, found.standard_error, found.half_width()) == (1, math.inf, math.inf)
    assert not found.converged


def _seen(seed: int) -> int:
    """How often the fifth of four drawn samples comes up, with the generator of `batch_sharpness`."""
    numbers = generator(seed, "batch sharpness")
    return sum(int(torch.randperm(N, generator=numbers)[0]) == 5 for _ in range(4))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"batch_size": 0}, r"batch_size=0: a batch has at least one sample\. Type batch_size=32\."),
        (
            {"batch_size": 7},
            r"batch_size=7 and 6 samples: .* at most once\. Type batch_size=6, or replacement=True\.",
        ),
        ({"batch_size": 2, "rtol": 0.0}, r"rtol=0\.0: a relative tolerance lies between 0 and 1"),
        ({"batch_size": 2, "max_batches": 1}, r"max_batches=1: one batch says nothing about its error"),
    ],
    ids=str,
)
def test_settings_outside_their_range(arguments: dict[str, int], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        batch_sharpness(regression(), START, **arguments)


@pytest.mark.parametrize("batch_size", [2, N])
def test_where_every_sample_is_fitted_there_is_nothing_to_measure(batch_size: int) -> None:
    objective = regression(X, torch.zeros_like(Y))
    with pytest.raises(SettingError, match=r"without a single gradient: each sample is at a minimum"):
        batch_sharpness(objective, torch.zeros_like(START), batch_size, max_batches=3)


def test_an_overflow_is_refused() -> None:
    objective = regression(X.float(), Y.float())
    with pytest.raises(SettingError, match=r"a batch whose curvature is not finite"):
        batch_sharpness(objective, 3e38 * START.float(), 2, max_batches=3)


def test_a_plain_function_has_no_batches() -> None:
    bowl = Objective.from_function(lambda w: w.square().sum(), 2)
    with pytest.raises(ObjectiveError, match="it is one number, not a mean over samples"):
        batch_sharpness(bowl, bowl.start, 1)
