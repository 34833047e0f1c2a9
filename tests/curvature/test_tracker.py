"""Following eigenvalues of matrices whose spectrum is prescribed at every reading."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from edgewise.curvature import Tracker, TrackerState
from edgewise.foundation import SettingError, decode, encode
from edgewise.linalg import Diagonal, Eigenpairs, Operator, Status
from reference.matrices import SPECTRA, as_operator, drifting, eigenvalues, with_spectrum

BELOW = torch.linspace(30, 8, 12).double()
OUTLIERS = {
    "separated": torch.tensor([100.0, 62, 40]).double(),
    "crowded": torch.tensor([100.0, 99, 98]).double(),
    "pair": torch.tensor([100.0, 100, 40]).double(),
}


def follow(tracker: Tracker, operators: Sequence[Operator]) -> list[Eigenpairs]:
    """What the tracker reads of one operator after another."""
    state, readings = tracker.init(seed=0), []
    for operator in operators:
        before = operator.products
        pairs, state = tracker.read(operator, state)
        assert pairs.products == operator.products - before
        readings.append(pairs)
    return readings


def in_fixed_directions(values: Tensor, size: int = 120, seed: int = 3) -> Operator:
    """A matrix with these eigenvalues, in directions that never change, over a bulk between 0 and 30."""
    spectrum = torch.cat([values, torch.linspace(0, 30, size - len(values)).double()])
    return as_operator(with_spectrum(spectrum, seed=seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("lag", [1, 2])
@pytest.mark.parametrize("name", OUTLIERS)
def test_a_drift_is_followed_within_the_bounds(name: str, lag: int, dtype: torch.dtype) -> None:
    outliers = torch.cat([OUTLIERS[name], BELOW])
    tracker = Tracker(k=3, rtol=1e-3, lag=lag)
    readings = follow(tracker, drifting(outliers, 600, 1e-2, 30, dtype))
    for pairs in readings:
        errors = (pairs.values.double() - outliers[:3]).abs()
        assert (errors <= pairs.bounds).all()
        assert (errors <= 1e-3 * outliers[0]).all()
        assert pairs.converged.all()
        assert pairs.status is Status.CONVERGED
    assert sum(pairs.products for pairs in readings[1:]) / (3 * 29) < 2.5


@pytest.mark.parametrize("name", ["separated", "crowded"])
def test_vectors_are_eigenvectors_that_keep_their_sign(name: str) -> None:
    outliers = torch.cat([OUTLIERS[name], BELOW])
    operators = drifting(outliers, 400, 1e-2, 20)
    readings = follow(Tracker(k=3), operators)
    for operator, pairs in zip(operators, readings, strict=True):
        residuals = operator.matmat(pairs.vectors) - pairs.vectors * pairs.values
        torch.testing.assert_close(residuals.norm(dim=0), pairs.residuals, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(pairs.vectors.T @ pairs.vectors, torch.eye(3).double())
    if name == "separated":  # a crowded pair may turn within its plane
        for before, after in pairwise(readings):
            assert ((before.vectors * after.vectors).sum(dim=0) > 0.9).all()


def test_followed_eigenvalues_may_cross() -> None:
    rise, fall = torch.linspace(80, 100, 21).double(), torch.linspace(100, 80, 21).double()
    operators = [in_fixed_directions(torch.stack([a, b])) for a, b in zip(rise, fall, strict=True)]
    readings = follow(Tracker(k=2, rtol=1e-4), operators)
    for pairs, a, b in zip(readings, rise, fall, strict=True):
        expected = torch.stack([torch.maximum(a, b), torch.minimum(a, b)])
        assert ((pairs.values - expected).abs() <= pairs.bounds).all()
    first, last = readings[0].vectors, readings[-1].vectors
    assert first[:, 0] @ last[:, 1] > 0.99  # the other rank now, and still the same sign
    assert first[:, 1] @ last[:, 0] > 0.99


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", SPECTRA)
def test_whatever_the_spectrum_a_second_reading_agrees_with_the_first(name: str, dtype: torch.dtype) -> None:
    A = with_spectrum(SPECTRA[name], dtype)
    k = min(3, len(A))
    for pairs in follow(Tracker(k=3, rtol=1e-3), [as_operator(A)] * 4):
        exact = eigenvalues(A)[:k]
        assert pairs.values.shape == (k,)
        rounding = 50 * torch.finfo(dtype).eps * float(SPECTRA[name].abs().max())
        assert ((pairs.values.double() - exact).abs() <= 1e-3 * exact.abs().max() + rounding).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("guards", [0, 1, 3])
def test_no_more_pairs_than_the_matrix_has(size: int, guards: int) -> None:
    A = with_spectrum(torch.arange(1.0, size + 1))
    for pairs in follow(Tracker(k=3, guards=guards, refresh=1, lag=2), [as_operator(A)] * 5):
        torch.testing.assert_close(pairs.values, eigenvalues(A)[:3], rtol=2e-3, atol=0.0)


def test_the_largest_is_algebraic() -> None:
    A = with_spectrum(torch.cat([torch.tensor([5.0, 4, -1000]), torch.linspace(-2, 2, 60)]))
    for pairs in follow(Tracker(k=2, rtol=1e-4), [as_operator(A)] * 3):
        torch.testing.assert_close(pairs.values, torch.tensor([5.0, 4.0]).double(), rtol=1e-3, atol=0.0)


def test_what_was_not_met_is_marked_and_its_bound_holds() -> None:
    outliers = torch.cat([OUTLIERS["separated"], BELOW])
    tracker = Tracker(k=3, rtol=1e-6, max_products_per_pair=1.0)
    missed = follow(tracker, drifting(outliers, 400, 0.1, 8))[1:]
    for pairs in missed:
        assert not pairs.converged.all()
        assert pairs.status is Status.BUDGET
        assert (pairs.converged == (pairs.bounds <= 1e-6 * pairs.values.abs().max())).all()
        assert ((pairs.values - outliers[:3]).abs() <= pairs.bounds).all()


def test_an_oscillation_of_period_two_is_cheaper_with_a_lag_of_two() -> None:
    outliers = torch.cat([OUTLIERS["separated"], BELOW])
    even, odd = (drifting(outliers, 400, 3e-3, 20, seed=0), drifting(outliers, 400, 3e-3, 20, seed=0))
    for operator in odd:  # the same walk seen after a small rotation
        inner, angle = operator._f, 0.1
        operator._f = lambda v, f=inner, a=angle: _rotated(f(_rotated(v, a)), -a)
    steps = [operator for pair in zip(even, odd, strict=True) for operator in pair]
    costs = [sum(pairs.products for pairs in follow(Tracker(k=3, lag=lag), steps)[2:]) for lag in (1, 2)]
    assert costs[1] < 0.8 * costs[0]


def _rotated(v: Tensor, angle: float) -> Tensor:
    """A rotation by an angle in each of the planes (0, 1), (2, 3) …"""
    c, s = torch.cos(torch.tensor(angle)).to(v), torch.sin(torch.tensor(angle)).to(v)
    x, y = v[0::2], v[1::2]
    return torch.stack([c * x - s * y, s * x + c * y], dim=1).reshape(-1)


@pytest.mark.parametrize("lag", [1, 2])
def test_pairs_above_the_threshold_come_and_go(lag: int) -> None:
    # Every eigenvalue above half of the critical curvature 100 is followed, and always at least one.
    tracker, state = Tracker(k=1, above=0.5, lag=lag), Tracker(k=1, above=0.5, lag=lag).init(seed=0)
    rising = [(45, 40, 35), (55, 40, 35), (60, 52, 35), (65, 57, 51), (70, 62, 56)]
    for top in [*rising, (70, 48, 56), *reversed(rising)]:
        expected = torch.tensor(sorted(top, reverse=True)).double()
        for _ in range(3):
            operator = in_fixed_directions(torch.tensor(top).double())
            pairs, state = tracker.read(operator, state, critical_curvature=100.0)
        count = max(1, sum(value > 50 for value in top))
        assert pairs.values.shape == (count,)
        torch.testing.assert_close(pairs.values, expected[:count], rtol=2e-3, atol=0.0)


def test_the_first_reading_finds_all_pairs_above_the_threshold() -> None:
    tracker = Tracker(k=1, above=0.5)
    operator = in_fixed_directions(torch.tensor([90.0, 80, 70, 60, 55, 40]).double())
    pairs, _ = tracker.read(operator, tracker.init(seed=0), critical_curvature=100.0)
    torch.testing.assert_close(pairs.values, torch.tensor([90.0, 80, 70, 60, 55]).double(), rtol=2e-3, atol=0.0)


@pytest.mark.parametrize("lag", [1, 2])
@pytest.mark.parametrize("rise", [1, 15], ids=["at once", "in time"])
@pytest.mark.parametrize("size", [60, 2000])
def test_an_overtaking_direction_is_noticed(size: int, rise: int, lag: int) -> None:
    # The followed vectors are exact, and orthogonal to the direction that rises: nothing leads there.
    values = torch.cat([torch.tensor([100.0, 99, 98]), torch.linspace(30, 0, size - 4), torch.zeros(1)]).double()
    tracker = Tracker(k=3, lag=lag)
    state, since = tracker.init(seed=0), None
    for reading in range(7 + rise + 2 * tracker.refresh):
        if reading > 7:
            values[-1] = min(150.0, 150.0 * (reading - 7) / rise)
        since = reading if since is None and values[-1] > 110 else since
        operator = Diagonal(values.clone())
        before = operator.products
        pairs, state = tracker.read(operator, state)
        assert pairs.products == operator.products - before
    assert since is not None
    torch.testing.assert_close(pairs.values[0], values[-1], rtol=2e-3, atol=0.0)


@pytest.mark.parametrize("tracker", [Tracker(k=2), Tracker(k=2, lag=2, guards=2, refresh=3), Tracker(above=0.5)])
def test_a_stored_state_goes_on_bit_for_bit(tracker: Tracker) -> None:
    operators = drifting(torch.cat([OUTLIERS["separated"], BELOW]), 200, 2e-2, 14)
    state, stored = tracker.init(seed=7), tracker.init(seed=7)
    for operator in operators:
        pairs, state = tracker.read(operator, state, critical_curvature=100.0)
        tensors: dict[str, Tensor] = {}
        text = json.dumps(encode(stored, tensors))
        again = decode(json.loads(text), {name: tensor.contiguous().clone() for name, tensor in tensors.items()})
        assert isinstance(again, TrackerState)
        same, stored = tracker.read(operator, again, critical_curvature=100.0)
        assert same.products == pairs.products
        assert torch.equal(pairs.values, same.values)
        assert torch.equal(pairs.bounds, same.bounds)
        assert torch.equal(pairs.vectors, same.vectors)


def test_reading_leaves_the_state_as_it_was() -> None:
    tracker = Tracker(k=2, lag=2, refresh=2)
    operators = drifting(torch.cat([OUTLIERS["crowded"], BELOW]), 200, 5e-2, 8)
    state = tracker.init(seed=0)
    for operator in operators:
        before: dict[str, Tensor] = {}
        tree = encode(state, before)
        copies = {name: tensor.clone() for name, tensor in before.items()}
        pairs, after = tracker.read(operator, state)
        again, _ = tracker.read(operator, state)
        assert torch.equal(pairs.vectors, again.vectors)
        now: dict[str, Tensor] = {}
        assert encode(state, now) == tree
        assert all(torch.equal(now[name], copies[name]) for name in copies)
        state = after


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"k": 0}, "k=0: it has to be at least 1. Type k=1."),
        ({"guards": -1}, "guards=-1: it has to be at least 0. Type guards=0."),
        ({"refresh": 0}, "refresh=0: it has to be at least 1. Type refresh=1."),
        ({"lag": 0}, "lag=0: it has to be at least 1. Type lag=1."),
        ({"rtol": 0.0}, "rtol=0.0: a relative tolerance lies between 0 and 1. Type rtol=1e-3."),
        ({"above": 0.0}, "above=0.0: a fraction of the critical curvature is positive. Type above=0.8."),
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, float], sentence: str) -> None:
    with pytest.raises(SettingError) as caught:
        Tracker(**setting)  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_a_fraction_needs_what_it_is_a_fraction_of() -> None:
    tracker = Tracker(above=0.8)
    with pytest.raises(SettingError, match=r"above=0\.8 and no critical curvature: .* critical_curvature=2 / lr"):
        tracker.read(in_fixed_directions(torch.tensor([50.0]).double()), tracker.init(seed=0))


def test_pairs_above_a_threshold_start_warm_without_guards_too() -> None:
    tracker = Tracker(k=1, above=0.5, guards=0)
    state = tracker.init(seed=0)
    operator = in_fixed_directions(torch.tensor([90.0, 80, 40]).double())
    for _ in range(2):
        pairs, state = tracker.read(operator, state, critical_curvature=100.0)
    assert pairs.values.shape == (2,)
    assert pairs.products <= 4
