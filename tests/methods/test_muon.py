import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import ParameterSpace, SettingError, decode, encode
from edgewise.methods import Drop, Muon, MuonState, critical_curvature_by_bisection
from edgewise.methods.orthogonal.newton_schulz import newton_schulz
from reference.beside_torch import (
    assert_a_step_leaves_its_inputs_unchanged,
    assert_equals_torch,
    assert_goes_on_from_what_was_stored,
    start,
    wavy_gradient,
)

SHAPES = ((4, 3), (2, 5), (3,), (6, 1))
torch_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="came with PyTorch 2.9")


@torch_muon
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("decay", "match_rms"), [(0.0, False), (0.1, False), (0.3, True)])
def test_equals_torch_bit_for_bit_over_100_steps(dtype, nesterov, decay, match_rms):
    shapes = ((7, 5), (3, 8), (6, 1))
    assert_equals_torch(
        Muon(0.02, 0.9, nesterov, 4, shapes, decay, match_rms),
        lambda w: torch.optim.Muon(
            w,
            lr=0.02,
            momentum=0.9,
            nesterov=nesterov,
            ns_steps=4,
            weight_decay=decay,
            adjust_lr_fn="match_rms_adamw" if match_rms else "original",
        ),
        dtype,
        shapes,
    )


def literal_newton_schulz(M, steps):
    """On the singular values, one by one."""
    U, sigma, Vh = np.linalg.svd(M, full_matrices=False)
    x = sigma / max(np.linalg.norm(M), 1e-7)
    for _ in range(steps):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    return U @ np.diag(x) @ Vh


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 6)])
def test_newton_schulz_is_a_polynomial_of_the_singular_values(shape):
    M = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    X = newton_schulz(M, 5)
    np.testing.assert_allclose(X, literal_newton_schulz(M.numpy(), 5), atol=1e-13)
    sigma = torch.linalg.svdvals(X)
    assert float(sigma.min()) > 0.6
    assert float(sigma.max()) < 1.25
    assert newton_schulz(M, 5, torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("nesterov", [False, True])
def test_is_its_recursion_matrix_by_matrix(nesterov):
    η, μ, γ = 0.05, 0.8, 0.2
    method = Muon(η, μ, nesterov, shapes=SHAPES, weight_decay=γ, precision=None)
    w = start(31, torch.float64)
    state = method.init(w)
    x = w.numpy().copy()
    m = np.zeros(31)
    for _ in range(20):
        g = x**3 + np.sin(x)
        m = μ * m + (1 - μ) * g
        M = (1 - μ) * g + μ * m if nesterov else m
        x = (1 - η * γ) * x
        at = 0
        for shape in SHAPES:
            size = math.prod(shape)
            part = slice(at, at + size)
            if len(shape) == 2:
                scale = math.sqrt(max(1, shape[0] / shape[1]))
                x[part] -= η * scale * literal_newton_schulz(M[part].reshape(shape), 5).reshape(-1)
            else:
                x[part] -= η * M[part]
            at += size
        w, state = method.step(w, wavy_gradient(w), state)
        np.testing.assert_allclose(w, x, atol=1e-11)


@pytest.mark.parametrize("match_rms", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
def test_a_step_divides_the_momentum_by_the_preconditioner_of_that_step(nesterov, match_rms):
    method = Muon(0.05, 0.8, nesterov, shapes=SHAPES, match_rms=match_rms, precision=None)
    w = start(31, torch.float64)
    state = MuonState(3, torch.cos(5 * w))
    g = wavy_gradient(w)
    g[:12] = torch.outer(torch.arange(4.0), torch.arange(3.0)).reshape(-1)  # with a momentum of rank one too:
    state.average[:12] = g[:12]  # there a singular value is zero
    m = 0.8 * state.average + 0.2 * g
    M = 0.2 * g + 0.8 * m if nesterov else m
    P = method.preconditioner(w, g, state)
    stepped, _ = method.step(w, g, state)
    torch.testing.assert_close(stepped, w - 0.05 * (P.power(-1.0) @ M), rtol=1e-11, atol=1e-12)


def test_the_preconditioner_is_symmetric_positive_and_has_powers():
    method = Muon(0.05, shapes=SHAPES, precision=None)
    w = start(31, torch.float64)
    P = method.preconditioner(w, wavy_gradient(w), method.init(w))
    identity = torch.eye(31, dtype=torch.float64)
    dense = P @ identity
    torch.testing.assert_close(dense, dense.T, rtol=1e-10, atol=1e-12)
    assert float(torch.linalg.eigvalsh(dense)[0]) > 0
    root, inverse = P.power(0.5), P.power(-1.0)
    torch.testing.assert_close(root @ (root @ identity), dense, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(inverse @ dense, identity, rtol=0, atol=1e-9)
    torch.testing.assert_close(dense[22:25, 22:25], torch.eye(3).double())  # the tensor that is no matrix


def test_where_the_singular_values_are_large_the_preconditioner_is_near_the_root_of_m_m_transposed():
    M = torch.randn(4, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    method = Muon(0.05, momentum=0.0, shapes=((4, 6),))
    w = torch.zeros(24, dtype=torch.float64)
    dense = method.preconditioner(w, M.reshape(-1), method.init(w)) @ torch.eye(24, dtype=torch.float64)
    ours = torch.linalg.eigvalsh(dense)[::6]
    exact = torch.linalg.svdvals(M).flip(0)
    assert bool(((ours / exact) > 1 / 1.25).all())
    assert bool(((ours / exact) < 1 / 0.65).all())


def test_a_gradient_of_zero_has_a_preconditioner():
    method = Muon(0.05, shapes=((2, 3),))
    w = torch.zeros(6)
    P = method.preconditioner(w, w, method.init(w))
    assert bool(torch.isfinite(P.power(-0.5) @ torch.ones(6)).all())
    assert torch.equal(method.step(w, w, method.init(w))[0], w)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_a_momentum_without_singular_values_has_no_powers_and_no_products(value):
    method = Muon(0.05, shapes=((2, 3), (2,)))
    w = torch.zeros(8)
    gradient = w.clone()
    gradient[3] = value  # in single precision the norm of 1e30 overflows
    P = method.preconditioner(w, gradient, method.init(w))
    sentence = r"^a momentum matrix of shape \(2, 3\) whose norm is \w+: .*singular values.*Type a smaller lr"
    for asked in (lambda: P.power(-0.5), lambda: P @ w):
        with pytest.raises(SettingError, match=sentence):
            asked()


def test_the_singular_values_are_found_once_and_only_when_asked_for(monkeypatch):
    method, found, svd = Muon(0.05, shapes=SHAPES), [], torch.linalg.svd
    monkeypatch.setattr(torch.linalg, "svd", lambda *given, **settings: found.append(1) or svd(*given, **settings))
    w = start(31, torch.float64)
    P = method.preconditioner(w, wavy_gradient(w), method.init(w))
    assert not found
    for _ in range(2):
        P.power(-0.5) @ (P @ w)
        assert len(found) == 3  # matrices


@settings(max_examples=60)
@given(lr=st.floats(1e-4, 10.0), momentum=st.floats(0.0, 0.99), nesterov=st.booleans(), share=st.floats(0.0, 1.8))
def test_bisection_equals_the_closed_form(lr, momentum, nesterov, share):
    method = Muon(lr, momentum, nesterov, weight_decay=share / lr)
    assert critical_curvature_by_bisection(method) == pytest.approx(method.critical_curvature, rel=1e-9)


@settings(max_examples=60)
@given(curvature=st.floats(-50.0, 50.0), w=st.floats(-10, 10), m=st.floats(-10, 10), nesterov=st.booleans())
def test_the_companion_matrix_is_two_steps_on_one_mode(curvature, w, m, nesterov):
    # A tensor that is no matrix is not preconditioned: its recursion is the mode's.
    method = Muon(0.1, 0.8, nesterov, shapes=((1,),), weight_decay=0.3)
    before = torch.tensor([w], dtype=torch.float64)
    state = MuonState(1, torch.tensor([m], dtype=torch.float64))
    middle, state = method.step(before, curvature * before, state)
    after, _ = method.step(middle, curvature * middle, state)
    predicted = method.companion(curvature) @ np.array([middle.item(), before.item()])
    scale = (1 + abs(curvature)) ** 2 * (abs(w) + abs(m) + 1e-6)
    assert after.item() == pytest.approx(predicted[0], rel=1e-12, abs=1e-13 * scale)
    assert predicted[1] == middle.item()


def test_its_edge_is_that_of_its_momentum():
    assert Muon(1.0, 0.9, nesterov=False).critical_curvature == pytest.approx(38.0)
    assert Muon(1.0, 0.9).critical_curvature == pytest.approx(38.0 / 2.8)
    assert Muon(1.0, 0.9).critical_formula == "(1+μ)(2−ηγ)/((1−μ)(1+2μ)η)"
    assert Muon(1.0, 0.9, nesterov=False).critical_formula == "(1+μ)(2−ηγ)/((1−μ)η)"
    scheduled = Muon(Drop(0.02, 0.01, step=1), 0.9, shapes=((2, 2),))
    assert scheduled.critical_curvature_at(scheduled.init(torch.zeros(4))) == pytest.approx(1900 / 2.8)


def test_a_step_leaves_its_inputs_unchanged_and_what_was_stored_goes_on():
    shapes = ((2, 4), (4,))
    assert_a_step_leaves_its_inputs_unchanged(Muon(0.1, shapes=shapes))
    assert_goes_on_from_what_was_stored(Muon(Drop(0.02, 0.01, step=4), 0.9, shapes=shapes, weight_decay=0.1))
    method = Muon(0.1, precision=None)
    assert decode(encode(method)) == method


def test_shapes_come_from_the_parameter_space_or_are_asked_for():
    space = ParameterSpace(("weight", "bias"), ((2, 3), (2,)))
    method = Muon(0.1)
    assert method.on(space) == Muon(0.1, shapes=((2, 3), (2,)))
    assert method.on(None) is method
    own = Muon(0.1, shapes=((4, 2),))
    assert own.on(space) is own
    with pytest.raises(SettingError, match=r"^Muon without shapes: .*Type Muon\(lr, shapes=.*method\.on\(obj"):
        method.init(torch.zeros(8))
    with pytest.raises(SettingError, match=r"and 9 parameters: the shapes have 8 entries\. Type method\.on"):
        own.init(torch.zeros(9))


def test_settings_outside_their_ranges_are_refused():
    with pytest.raises(SettingError, match=r"momentum=1\.0: .*Type momentum=0\.95"):
        Muon(0.1, 1.0)
    with pytest.raises(SettingError, match=r"steps=0: .*Type steps=5"):
        Muon(0.1, steps=0)
    with pytest.raises(SettingError, match=r"weight_decay=-1\.0"):
        Muon(0.1, weight_decay=-1.0)
    with pytest.raises(SettingError, match=r"lr=0\.0"):
        Muon(0.0)
