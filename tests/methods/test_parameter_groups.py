import math

import numpy as np
import pytest
import torch

from edgewise.foundation import ParameterSpace, SettingError
from edgewise.linalg import Diagonal, Identity
from edgewise.methods import (
    SAM,
    SGD,
    Adam,
    AdamW,
    DecoupledWeightDecay,
    Drop,
    FrozenAdam,
    GradientDescent,
    HeavyBall,
    Muon,
    Nesterov,
    ParameterGroups,
    ScalarRMSProp,
    WeightDecay,
    critical_curvature_by_bisection,
    from_torch,
)
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_goes_on_from_what_was_stored,
    start,
    tensors_of,
    wavy_gradient,
)
from reference.matrices import with_spectrum


def test_every_group_steps_by_its_own_method_on_its_own_slice():
    methods = (HeavyBall(0.1, 0.9), Adam(0.02), GradientDescent(0.3))
    groups = ParameterGroups(methods, sizes=(3, 5, 4))
    w = start(12, torch.float64)
    state = groups.init(w)
    parts = list(w.split((3, 5, 4)))
    states = [method.init(part) for method, part in zip(methods, parts, strict=True)]
    for t in range(20):
        w, state = groups.step(w, wavy_gradient(w), state)
        for i, method in enumerate(methods):
            parts[i], states[i] = method.step(parts[i], wavy_gradient(parts[i]), states[i])
        assert torch.equal(w, torch.cat(parts))
        assert state.step == t + 1


def growth(groups, H, steps=3):
    """The spectral radius of one step on ½ wᵀ H w, as a matrix on w and everything that is remembered."""
    size = H.shape[0]
    state = groups.init(torch.zeros(size, dtype=torch.float64))
    for _ in range(steps):
        _, state = groups.step(torch.zeros(size).double(), torch.zeros(size).double(), state)
    memory = [tensor for name, tensor in tensors_of(state).items() if "square" not in name]
    lengths = [size, *(len(tensor) for tensor in memory)]

    def step(x):
        w, *pieces = x.split(lengths)
        kept = [tensor.clone() for tensor in memory]
        for tensor, piece in zip(memory, pieces, strict=True):
            tensor.copy_(piece)
        stepped, after = groups.step(w, H @ w, state)
        for tensor, piece in zip(memory, kept, strict=True):
            tensor.copy_(piece)
        return torch.cat([stepped, *(t for name, t in tensors_of(after).items() if "square" not in name)])

    J = torch.stack([step(e) for e in torch.eye(sum(lengths), dtype=torch.float64)], dim=1)
    return float(torch.linalg.eigvals(J).abs().max())


def multiple_at_the_edge(groups, H):
    """The c at which the effective sharpness, λ₁ of P^(-1/2) (c H + Γ) P^(-1/2), is critical."""
    size = H.shape[0]
    w, identity = torch.zeros(size, dtype=torch.float64), torch.eye(size, dtype=torch.float64)
    P = groups.preconditioner(w, w, groups.init(w)) @ identity
    decay = groups.seen(Diagonal(w)) @ identity
    root = (groups.critical_curvature * P - decay).diagonal() ** -0.5
    return 1 / float(torch.linalg.eigvalsh(root[:, None] * H * root)[-1])


@pytest.mark.parametrize(
    "methods",
    [
        (GradientDescent(0.1), GradientDescent(0.03)),
        (HeavyBall(0.1, 0.9), HeavyBall(0.4, 0.9)),
        (HeavyBall(0.1, 0.9), Nesterov(0.03, 0.5)),
        (Nesterov(0.1, 0.95), GradientDescent(0.02)),
        (SGD(0.1, None, momentum=0.9, weight_decay=0.5), SGD(0.2, None, momentum=0.9)),
        (DecoupledWeightDecay(HeavyBall(0.1, 0.8), 0.7), WeightDecay(Nesterov(0.1, 0.3), 0.4)),
        (FrozenAdam(0.1, (0.9, 0.9), 0.5, freeze_at=1), FrozenAdam(0.3, (0.5, 0.9), 2.0, freeze_at=1)),
        (FrozenAdam(0.1, (0.9, 0.9), 0.5, freeze_at=1), HeavyBall(0.05, 0.3)),
        (WeightDecay(FrozenAdam(0.1, (0.9, 0.9), 0.5, freeze_at=1), 3.0), HeavyBall(0.05, 0.3)),
        (
            DecoupledWeightDecay(FrozenAdam(0.1, (0.9, 0.9), 0.5, freeze_at=1), 3.0),
            WeightDecay(FrozenAdam(0.3, (0.5, 0.9), 2.0, freeze_at=1), 2.0),
        ),
    ],
    ids=str,
)
def test_the_edge_of_the_whole_is_exact_for_any_mix_of_methods(methods):
    # The Hessian mixes the groups through and through. Frozen on a zero gradient, P of Adam is (1 − β₁)ε.
    groups = ParameterGroups(methods, sizes=(3, 4))
    H = with_spectrum(torch.tensor([8.0, 5.0, 3.0, 1.0, 0.5, 0.1, 0.01]))
    assert float(H[:3, 3:].abs().max()) > 0.5
    scale = multiple_at_the_edge(groups, H)
    assert growth(groups, scale * (1 + 1e-8) * H) > 1
    assert growth(groups, scale * (1 - 1e-8) * H) <= 1


def test_groups_that_differ_in_step_size_share_a_companion_matrix():
    groups = ParameterGroups((HeavyBall(0.1, 0.9), HeavyBall(0.4, 0.9)), sizes=(1, 2))
    assert groups.lr == 0.1
    assert groups.critical_curvature == pytest.approx(38.0)
    assert groups.critical_formula == "(2+2β)/η"
    np.testing.assert_array_equal(groups.companion(7.0), HeavyBall(0.1, 0.9).companion(7.0))
    assert critical_curvature_by_bisection(groups) == pytest.approx(38.0, rel=1e-9)
    w = torch.ones(3).double()
    P = groups.preconditioner(w, w, groups.init(w))
    np.testing.assert_allclose(P @ w, [1.0, 0.25, 0.25])
    np.testing.assert_allclose(P.power(-0.5) @ w, [1.0, 2.0, 2.0])
    np.testing.assert_allclose(P.power(-1.0) @ torch.eye(3).double(), np.diag([1.0, 4.0, 4.0]))
    np.testing.assert_allclose(P @ torch.eye(3).double(), np.diag([1.0, 0.25, 0.25]))


def test_every_group_adds_its_own_decay_to_the_hessian():
    tensors = [torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)]
    settings = [{"params": tensors[0], "weight_decay": 0.1}, {"params": tensors[1]}]
    H = Diagonal(torch.tensor([3.0, -1.0, 2.0]))
    adam = from_torch(torch.optim.Adam(settings, lr=0.01))
    assert isinstance(adam, ParameterGroups)
    torch.testing.assert_close(adam.seen(H) @ torch.ones(3), torch.tensor([3.1, -0.9, 2.0]))
    torch.testing.assert_close(adam.seen(H) @ torch.eye(3), torch.diag(torch.tensor([3.1, -0.9, 2.0])))
    nested = ParameterGroups((GradientDescent(0.1), adam), sizes=(1, 3))
    more = Diagonal(torch.zeros(4))
    torch.testing.assert_close(nested.seen(more) @ torch.ones(4), torch.tensor([0.0, 0.1, 0.1, 0.0]))
    plain = ParameterGroups((WeightDecay(HeavyBall(0.1, 0.9), 0.3), GradientDescent(0.1)), sizes=(1, 2))
    assert plain.seen(H) is H


def test_groups_with_the_same_step_need_no_preconditioner():
    groups = ParameterGroups((HeavyBall(0.1, 0.5), SGD(0.1, None, momentum=0.5)), sizes=(1, 2))
    w = torch.ones(3)
    assert isinstance(groups.preconditioner(w, w, groups.init(w)), Identity)
    assert groups.companion(3.0).shape == (2, 2)


def test_the_preconditioner_combines_those_of_the_groups():
    groups = ParameterGroups((AdamW(0.1, weight_decay=0.5), AdamW(0.2, weight_decay=0.0)), sizes=(2, 3))
    w, g = start(5, torch.float64), wavy_gradient(start(5, torch.float64))
    state = groups.init(w)
    first, second = (m.preconditioner(w, g, m.init(w)).entries for m in groups.methods)
    share = groups.methods[1].critical_curvature / groups.methods[0].critical_curvature
    expected = torch.cat([first[:2], second[2:] * share])
    torch.testing.assert_close(groups.preconditioner(w, g, state) @ torch.ones(5).double(), expected)
    assert share == pytest.approx(0.5, rel=0.05)


def test_a_companion_matrix_of_different_recursions_is_refused_and_their_edge_is_not():
    groups = ParameterGroups((GradientDescent(0.1), HeavyBall(0.1, 0.9)), sizes=(1, 2))
    assert groups.critical_curvature == pytest.approx(20.0)
    with pytest.raises(
        SettingError, match=r"different recursions: .*groups\.methods\[i\]\.companion\(curvature\)"
    ):
        groups.companion(1.0)
    decays = ParameterGroups((AdamW(0.1, weight_decay=0.5), AdamW(0.1, weight_decay=0.0)), sizes=(1, 2))
    with pytest.raises(SettingError, match="different recursions"):
        decays.companion(1.0)


def test_schedules_move_the_edge_with_the_state():
    schedule = Drop(0.2, 0.1, step=1)
    groups = ParameterGroups((GradientDescent(schedule), GradientDescent(0.1)), sizes=(1, 1))
    w = torch.ones(2)
    state = groups.init(w)
    assert groups.step_size_at(state) == 0.2
    assert groups.critical_curvature_at(state) == pytest.approx(10.0)
    assert (groups.preconditioner(w, w, state) @ w).tolist() == pytest.approx([1.0, 2.0])
    assert groups.companion(5.0, state)[0, 0] == pytest.approx(0.0)
    with pytest.raises(SettingError, match="depends on the state, and no state"):
        groups.companion(5.0)
    _, state = groups.step(w, w, state)
    assert groups.critical_curvature_at(state) == pytest.approx(20.0)
    assert isinstance(groups.preconditioner(w, w, state), Identity)


def test_a_step_size_sets_all_groups_in_proportion():
    groups = ParameterGroups((GradientDescent(0.1), HeavyBall(0.3, 0.5)), sizes=(1, 1))
    scaled = groups.with_step_size(0.2)
    assert scaled.methods == (GradientDescent(0.2), HeavyBall(0.2 * (0.3 / 0.1), 0.5))
    schedule = Drop(0.2, 0.1, step=1)
    same = ParameterGroups((GradientDescent(schedule), HeavyBall(schedule, 0.5)), sizes=(1, 1))
    assert same.with_step_size(0.2).methods == (GradientDescent(0.2), HeavyBall(0.2, 0.5))
    mixed = ParameterGroups((GradientDescent(schedule), HeavyBall(0.1, 0.5)), sizes=(1, 1))
    with pytest.raises(SettingError, match=r"schedules of their own: .*Give every group the same schedule"):
        mixed.with_step_size(0.2)


def test_groups_follow_the_tensors_of_the_parameter_space():
    space = ParameterSpace(("a", "b", "c"), ((2, 3), (2,), (1, 2)))
    groups = ParameterGroups((Muon(0.1), GradientDescent(0.1)), sizes=(8, 2)).on(space)
    assert groups.methods == (Muon(0.1, shapes=((2, 3), (2,))), GradientDescent(0.1))
    assert groups.on(None) is groups
    with pytest.raises(SettingError, match=r"sizes \(7, 3\): a group is made of whole tensors.*6, 2, 2 entries"):
        ParameterGroups((GradientDescent(0.1), GradientDescent(0.1)), sizes=(7, 3)).on(space)
    with pytest.raises(SettingError, match="whole tensors"):
        ParameterGroups((GradientDescent(0.1), GradientDescent(0.1)), sizes=(6, 2)).on(space)
    with pytest.raises(SettingError, match=r"and 9 parameters: the groups have 10 together\. Type sizes"):
        groups.init(torch.zeros(9))


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    groups = ParameterGroups((HeavyBall(0.1, 0.5), AdamW(0.02)), sizes=(5, 7))
    assert_a_step_leaves_its_inputs_unchanged(groups)
    assert_goes_on_from_what_was_stored(groups)


def test_what_makes_no_groups_is_refused():
    for methods, sizes in [((), ()), ((GradientDescent(0.1),), (1, 2)), ((GradientDescent(0.1),), (0,))]:
        with pytest.raises(SettingError, match="every group has a method and at least one parameter"):
            ParameterGroups(methods, sizes)
    for method in (SAM(0.1, 0.05), SGD(0.1, 8), ScalarRMSProp(0.1), DecoupledWeightDecay(SGD(0.1, 8), 0.1)):
        name = type(method).__name__
        with pytest.raises(SettingError, match=f"a group with {name}: all groups step by one full gradient"):
            ParameterGroups((method,), (3,))
    unstable = ParameterGroups((GradientDescent(0.1), SGD(0.1, None, weight_decay=30.0)), sizes=(1, 1))
    w = torch.ones(2)
    with pytest.raises(SettingError, match=r"critical curvatures 20, 0: .*Lower its step size"):
        unstable.preconditioner(w, w, unstable.init(w))
    assert math.isfinite(unstable.critical_curvature)
