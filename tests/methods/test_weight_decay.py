import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal
from edgewise.methods import (
    SAM,
    SGD,
    Adam,
    AdamW,
    AtEdgeRatio,
    AveragedMomentum,
    DecoupledWeightDecay,
    Drop,
    GradientDescent,
    HeavyBall,
    Nesterov,
    NormalizedGD,
    NormalizedGDState,
    ParameterGroups,
    Projected,
    SAMState,
    ScheduleFree,
    WeightDecay,
    critical_curvature_by_bisection,
)
from edgewise.objectives import Objective
from reference.runs import network

MAKES = {
    "gradient descent": lambda lr, beta: GradientDescent(lr),
    "heavy ball": HeavyBall,
    "nesterov": Nesterov,
    "averaged": AveragedMomentum,
    "sgd": lambda lr, beta: SGD(lr, None, momentum=beta, dampening=0.5),
}
every_family = pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)


def decayed(objective, decay):
    """L + ½γ‖w‖², written out."""
    return Objective.from_function(
        lambda w: sum(chunk.loss(w) for chunk in objective.terms.chunks()) + decay / 2 * w.square().sum(),
        objective.size,
        start=objective.start,
    )


@every_family
@settings(max_examples=40)
@given(lr=st.floats(1e-6, 1e3), beta=st.floats(0.0, 0.99), share=st.floats(0.0, 0.9))
def test_coupled_decay_takes_itself_from_the_edge(make, lr, beta, share):
    base = make(lr, beta)
    method = WeightDecay(base, share * base.critical_curvature)
    assert method.critical_curvature == pytest.approx((1 - share) * base.critical_curvature, rel=1e-12)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


@every_family
@settings(max_examples=40)
@given(lr=st.floats(1e-6, 1e3), beta=st.floats(0.0, 0.99), share=st.floats(0.0, 1.9))
def test_decoupled_decay_scales_the_edge(make, lr, beta, share):
    base = make(lr, beta)
    method = DecoupledWeightDecay(base, share / lr)
    assert method.critical_curvature == pytest.approx((1 - share / 2) * base.critical_curvature, rel=1e-9)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


def test_for_gradient_descent_the_two_are_one():
    coupled, decoupled = (wrap(GradientDescent(0.01), 5) for wrap in (WeightDecay, DecoupledWeightDecay))
    assert coupled.critical_curvature == pytest.approx(195.0)
    assert decoupled.critical_curvature == pytest.approx(195.0)
    assert coupled.companion(30.0)[0, 0] == pytest.approx(decoupled.companion(30.0)[0, 0], rel=1e-14)
    w = torch.linspace(-1, 1, 7, dtype=torch.float64)
    ours, theirs = (method.step(w, w**3, method.init(w))[0] for method in (coupled, decoupled))
    torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=1e-16)
    assert coupled.critical_formula == "2/η − γ"
    assert decoupled.critical_formula == "(1−ηγ/2)·2/η"


@pytest.mark.parametrize("base", [GradientDescent(0.05), HeavyBall(0.05, 0.9), Nesterov(0.05, 0.9)])
def test_coupled_decay_is_descent_on_the_decayed_loss(base):
    objective = network()
    plain, method = decayed(objective, 0.3), WeightDecay(base, 0.3)
    w, v = objective.start, objective.start
    state, other = method.init(w), base.init(v)
    for _ in range(20):
        gradient, state = method.look(objective, objective.at(w), state)
        w, state = method.step(w, gradient, state)
        v, other = base.step(v, plain.gradient(v), other)
    torch.testing.assert_close(w, v, rtol=1e-10, atol=1e-12)


def test_decoupled_decay_of_adam_is_adamw():
    ours, theirs = DecoupledWeightDecay(Adam(0.01), 0.2), AdamW(0.01, weight_decay=0.2)
    assert ours.critical_curvature == pytest.approx(theirs.critical_curvature, rel=1e-14)
    np.testing.assert_allclose(ours.companion(77.0), theirs.companion(77.0), rtol=1e-12)
    w = v = torch.linspace(-1, 1, 7, dtype=torch.float64)
    state, other = ours.init(w), theirs.init(v)
    for _ in range(30):
        w, state = ours.step(w, w**3, state)
        v, other = theirs.step(v, v**3, other)
    torch.testing.assert_close(w, v, rtol=1e-14, atol=1e-15)


def test_coupled_decay_of_adam_is_that_of_pytorch_and_measures_the_decayed_loss():
    method = WeightDecay(Adam(0.01), 0.2)
    start = torch.linspace(-1, 1, 7, dtype=torch.float64)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.01, weight_decay=0.2)
    w, state = start, method.init(start)
    for _ in range(100):
        theirs.grad = theirs.detach() ** 3
        optimizer.step()
        gradient = w**3
        ours = method.preconditioner(w, gradient, state)
        base = method.method.preconditioner(w, gradient + 0.2 * w, state)
        torch.testing.assert_close(ours @ w, base @ w, rtol=1e-13, atol=0.0)
        w, state = method.step(w, gradient, state)
        assert torch.equal(w, theirs.detach())
    # P^(-1/2) (H + γ) P^(-1/2) has its edge where Adam has it.
    assert method.critical_curvature == Adam(0.01).critical_curvature
    assert method.critical_formula == Adam(0.01).critical_formula
    H = Diagonal(torch.tensor([3.0, -1.0]))
    torch.testing.assert_close(method.seen(H) @ torch.ones(2), torch.tensor([3.2, -0.8]))
    assert WeightDecay(GradientDescent(0.1), 0.2).seen(H) is H


@given(lr=st.floats(1e-3, 1.0), share=st.floats(0.0, 1.9), norm=st.floats(1e-3, 1e3))
@settings(max_examples=40)
def test_decoupled_decay_of_methods_whose_edge_moves(lr, share, norm):
    sam = DecoupledWeightDecay(SAM(lr, 0.1), share / lr)
    normal = DecoupledWeightDecay(NormalizedGD(lr), share / lr)
    for method, state in ((sam, SAMState(0, norm)), (normal, NormalizedGDState(0, norm))):
        edge = method.critical_curvature(state)
        assert edge == pytest.approx(critical_curvature_by_bisection(method, state), rel=1e-9)
        assert edge <= method.method.critical_curvature(state)


def test_decay_that_diverges_by_itself_leaves_no_edge():
    assert WeightDecay(GradientDescent(0.1), 30.0).critical_curvature == 0.0
    assert DecoupledWeightDecay(HeavyBall(0.1, 0.5), 30.0).critical_curvature == 0.0
    assert DecoupledWeightDecay(SAM(0.1, 0.5), 30.0).critical_curvature(SAMState(0, 1.0)) == 0.0


def test_a_schedule_of_the_method_is_followed():
    for wrap, edges in ((WeightDecay, [95.0, 195.0]), (DecoupledWeightDecay, [95.0, 195.0])):
        method = wrap(GradientDescent(Drop(0.02, 0.01, step=1)), 5.0)
        assert method.lr == Drop(0.02, 0.01, step=1)
        w = torch.ones(1)
        state = method.init(w)
        assert method.critical_curvature(state) == pytest.approx(edges[0])
        w, state = method.step(w, w, state)
        assert method.critical_curvature(state) == pytest.approx(edges[1])


@pytest.mark.parametrize("wrap", [WeightDecay, DecoupledWeightDecay])
@pytest.mark.parametrize("decay", [-0.1, math.nan, math.inf])
def test_a_decay_outside_its_range_is_refused(wrap, decay):
    with pytest.raises(SettingError, match=r"decay=.*finite and not negative"):
        wrap(GradientDescent(0.1), decay)


@pytest.mark.parametrize("wrap", [WeightDecay, DecoupledWeightDecay])
@pytest.mark.parametrize(
    "inner",
    [
        WeightDecay(GradientDescent(0.1), 0.1),
        DecoupledWeightDecay(GradientDescent(0.1), 0.1),
        SGD(0.1, None, weight_decay=0.1),
        AdamW(0.1),
        Projected(AdamW(0.1), 1),
        Projected(Projected(WeightDecay(Adam(0.1), 0.1), 3), 1, "bulk"),
    ],
)
def test_two_decays_are_refused(wrap, inner):
    with pytest.raises(SettingError, match=r"decays already, and two decays .*Type \w+\(method, decay\)"):
        wrap(inner, 0.1)


@pytest.mark.parametrize("wrap", [WeightDecay, DecoupledWeightDecay])
def test_groups_decay_one_by_one(wrap):
    groups = ParameterGroups((GradientDescent(0.1), GradientDescent(0.2)), sizes=(1, 1))
    for inner in (groups, Projected(groups, 1)):
        with pytest.raises(
            SettingError, match=rf"a step size of its own.*ParameterGroups\(\({wrap.__name__}\(method, de"
        ):
            wrap(inner, 0.1)


@pytest.mark.parametrize("wrap", [WeightDecay, DecoupledWeightDecay])
def test_a_step_size_driven_by_the_curvature_has_to_see_the_decay(wrap):
    driven = AtEdgeRatio(GradientDescent(0.1))
    sentence = (
        rf"{wrap.__name__} around AtEdgeRatio: .*without the decay\. Type AtEdgeRatio\({wrap.__name__}\(method"
    )
    for inner in (driven, Projected(driven, 1)):
        with pytest.raises(SettingError, match=sentence):
            wrap(inner, 0.1)


@pytest.mark.parametrize("inner", [NormalizedGD(0.1), SAM(0.1, 0.1)])
def test_coupled_decay_is_refused_where_the_method_would_not_see_it(inner):
    sentence = rf"{type(inner).__name__} looks at the loss by itself.*objective, or type DecoupledWeightDecay"
    with pytest.raises(SettingError, match=sentence):
        WeightDecay(inner, 0.1)


def test_coupled_decay_of_a_projected_method_goes_inside():
    with pytest.raises(
        SettingError, match=r"Projected looks at.*Type Projected\(WeightDecay\(method, decay\), …\)"
    ):
        WeightDecay(Projected(GradientDescent(0.1), 1), 0.1)


@pytest.mark.parametrize("inner", [ScheduleFree(0.1), Projected(ScheduleFree(0.1), 1)])
def test_decoupled_decay_is_refused_where_it_would_do_nothing(inner):
    with pytest.raises(SettingError, match=r"shrinking w would change nothing.*Type WeightDecay\(ScheduleFree"):
        DecoupledWeightDecay(inner, 0.1)


def test_decoupled_decay_of_sam_goes_inside():
    inner = Projected(SAM(0.1, 0.1), 1)
    sentence = r"DecoupledWeightDecay around Projected around SAM: .*Type Projected\(DecoupledWeightDecay\(SAM\("
    with pytest.raises(SettingError, match=sentence):
        DecoupledWeightDecay(inner, 0.1)
