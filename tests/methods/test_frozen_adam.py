import pytest
import torch

from edgewise.foundation import SettingError
from edgewise.methods import Adam, Drop, FrozenAdam, critical_curvature_by_bisection
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_goes_on_from_what_was_stored,
    start,
    wavy_gradient,
)


def test_is_adam_until_it_freezes_and_keeps_that_preconditioner_from_then_on():
    adam, frozen = Adam(0.05, (0.9, 0.95)), FrozenAdam(0.05, (0.9, 0.95), freeze_at=6)
    w = v = start(9, torch.float64)
    ours, theirs = frozen.init(w), adam.init(v)
    m = torch.zeros(9, dtype=torch.float64)
    for t in range(20):
        g = wavy_gradient(w)
        P = frozen.preconditioner(w, g, ours)
        if t < 6:
            last = adam.preconditioner(v, g, theirs)
            assert torch.equal(P.entries, last.entries)
            v, theirs = adam.step(v, g, theirs)
        assert torch.equal(P.entries, last.entries)
        m = 0.9 * m + 0.1 * g
        expected = w - 0.05 * m / P.entries
        w, ours = frozen.step(w, g, ours)
        torch.testing.assert_close(w, expected, rtol=1e-12, atol=1e-13)
        if t < 6:
            assert torch.equal(w, v)
    assert ours.step == 20


@pytest.mark.parametrize(("share", "grows"), [(0.98, False), (1.02, True)])
def test_a_mode_grows_exactly_when_its_effective_curvature_is_above_the_edge(share, grows):
    # A quadratic cannot lower its curvature: Adam would escape by growing P, frozen Adam cannot.
    method = FrozenAdam(0.1, (0.9, 0.999), freeze_at=1)
    w = torch.tensor([1.0, 0.5], dtype=torch.float64)
    first = torch.tensor([3.0, 2.0], dtype=torch.float64)
    state = method.init(w)
    P = method.preconditioner(w, first, state)
    w, state = method.step(w, first, state)
    curvature = share * method.critical_curvature * P.entries * torch.tensor([1.0, 0.01]).double()
    sizes = []
    for _ in range(800):
        w, state = method.step(w, curvature * w, state)
        sizes.append(float(w[0].abs()))
    assert (max(sizes[-10:]) > max(sizes[100:110])) == grows


def test_its_edge_is_that_of_adam():
    method = FrozenAdam(0.1, (0.8, 0.9), freeze_at=3)
    assert method.critical_curvature == Adam(0.1, (0.8, 0.9)).critical_curvature == pytest.approx(180.0)
    assert critical_curvature_by_bisection(method) == pytest.approx(180.0, rel=1e-9)
    assert method.critical_formula == "(2+2β₁)/((1−β₁)η)"
    scheduled = FrozenAdam(Drop(0.1, 0.05, step=1), (0.8, 0.9), freeze_at=3)
    assert scheduled.critical_curvature_at(scheduled.init(torch.zeros(1))) == pytest.approx(180.0)


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    for freeze_at in (1, 5):
        assert_a_step_leaves_its_inputs_unchanged(FrozenAdam(0.1, freeze_at=freeze_at))
        assert_goes_on_from_what_was_stored(FrozenAdam(0.02, (0.8, 0.9), 1e-6, freeze_at=freeze_at))


def test_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"freeze_at=0: .*before the first gradient.*Type freeze_at=100"):
        FrozenAdam(0.1, freeze_at=0)
    with pytest.raises(SettingError, match="betas="):
        FrozenAdam(0.1, (0.9, 1.0), freeze_at=3)
