import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import SettingError
from edgewise.methods import AveragedMomentum, GradientDescent, HeavyBall, Nesterov, Transient
from reference.bad_settings import BAD, as_a_user_types

families = st.sampled_from([HeavyBall, Nesterov, AveragedMomentum])


def powers(J, steps):
    """‖Jᵗ‖ for t = 0 … steps."""
    sizes, power = [], np.eye(len(J))
    for _ in range(steps + 1):
        sizes.append(np.linalg.norm(power, 2))
        power = power @ J
    return sizes


@settings(max_examples=40)
@given(family=families, beta=st.floats(0.0, 0.99), share=st.floats(1e-3, 0.999))
def test_the_kreiss_constant_holds_the_growth_from_both_sides(family, beta, share):
    method = family(1.0, beta)
    J = method.companion(share * method.critical_curvature)
    transient = Transient.of(J)
    assert transient.spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(J)).max(), rel=1e-12)
    assert transient.spectral_radius <= 1
    assert 1.0 <= transient.kreiss_constant <= transient.growth * (1 + 1e-9)
    assert transient.growth <= math.e * 2 * transient.kreiss_constant
    assert transient.growth <= transient.eigenvector_condition * (1 + 1e-6)


def test_a_momentum_near_underflow_keeps_its_eigenvectors():
    """As β → 0 the eigenvectors tend to (z, 1)/√(1 + z²) with z = 1 − ηλ, and (0, 1)."""
    z = 0.72
    cosine = 1 / math.hypot(1, z)
    for beta in (1e-308, 1e-100, 1e-20):
        condition = Transient.of(np.array([[z, -beta], [1.0, 0.0]])).eigenvector_condition
        assert condition == pytest.approx(math.sqrt((1 + cosine) / (1 - cosine)), rel=1e-9)


@settings(max_examples=20)
@given(beta=st.floats(0.0, 0.95), share=st.floats(0.01, 0.99))
def test_the_growth_is_the_largest_power(beta, share):
    method = HeavyBall(1.0, beta)
    J = method.companion(share * method.critical_curvature)
    assert Transient.of(J).growth == pytest.approx(max(powers(J, 400)), rel=1e-12)


@settings(max_examples=15)
@given(entries=st.lists(st.floats(-1.0, 1.0), min_size=9, max_size=9))
def test_no_point_outside_the_disc_beats_the_kreiss_constant(entries):
    J = np.array(entries).reshape(3, 3)
    radius = np.abs(np.linalg.eigvals(J)).max()
    J = J if radius <= 0.95 else 0.95 / radius * J
    found = Transient.of(J).kreiss_constant
    draw = np.random.default_rng(0)
    z = (1 + 10 ** draw.uniform(-6, 2, 4000)) * np.exp(1j * draw.uniform(0, 2 * np.pi, 4000))
    quotients = (np.abs(z) - 1) / np.linalg.svd(z[:, None, None] * np.eye(3) - J, compute_uv=False)[:, -1]
    assert found >= quotients.max() * (1 - 1e-9)


@pytest.mark.parametrize("a", [0.5, 3.0, 100.0])
def test_a_nilpotent_block_has_a_known_kreiss_constant(a):
    """(z − J)⁻¹ = [[1/z, a/z²], [0, 1/z]]: its norm depends on |z| alone, so a line search is enough."""
    r = 1 + np.logspace(-4, 5, 400_001)
    inverse = 1 / r
    # The larger singular value of [[p, q], [0, p]] is (q + √(q² + 4p²))/2.
    q = a * inverse**2
    expected = ((r - 1) * (q + np.sqrt(q**2 + 4 * inverse**2)) / 2).max()
    transient = Transient.of(np.array([[0.0, a], [0.0, 0.0]]))
    assert transient.kreiss_constant == pytest.approx(max(1.0, expected), rel=1e-7)
    assert transient.growth == max(1.0, a)
    assert transient.spectral_radius == 0.0
    assert transient.eigenvector_condition > 1e200


def test_a_normal_update_never_grows():
    for curvature in (0.1, 1.0, 1.9, 2.0):
        transient = Transient.of(GradientDescent(1.0).companion(curvature))
        assert transient.eigenvector_condition == 1.0
        assert transient.growth == 1.0
        # At the edge the supremum is the limit at the circle, where rounding is divided by 1e-7.
        assert transient.kreiss_constant == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize("beta", [0.25, 0.81, 0.9801])
@pytest.mark.parametrize("sign", [-1, 1])
def test_where_two_roots_meet_only_the_eigenvectors_break_down(beta, sign):
    """Heavy ball at ηλ = (1 ∓ √β)²: far from instability, ρ = √β."""
    exceptional = Transient.of(HeavyBall(1.0, beta).companion((1 + sign * math.sqrt(beta)) ** 2))
    assert exceptional.eigenvector_condition > 1e6
    # Two roots that meet are only known to the root of the rounding error.
    assert exceptional.spectral_radius == pytest.approx(math.sqrt(beta), rel=1e-6)
    beside = Transient.of(HeavyBall(1.0, beta).companion((1 - 1e-8) * (1 + sign * math.sqrt(beta)) ** 2))
    assert exceptional.kreiss_constant == pytest.approx(beside.kreiss_constant, rel=0.05)
    assert exceptional.eigenvector_condition > 100 * beside.eigenvector_condition
    assert exceptional.growth <= math.e * 2 * exceptional.kreiss_constant < math.inf
    assert exceptional.kreiss_constant <= exceptional.growth


def test_at_the_edge_what_does_not_decay_stays_bounded():
    method = HeavyBall(0.01, 0.9)
    edge = Transient.of(method.companion(method.critical_curvature))
    assert edge.spectral_radius == pytest.approx(1.0, abs=1e-12)
    # J → the projection on the mode of −1: [[20, −18], [−20, 18]]/2 along the last two iterates.
    assert edge.growth == pytest.approx(max(powers(method.companion(method.critical_curvature), 500)), rel=1e-9)
    assert edge.kreiss_constant <= edge.growth * (1 + 1e-6) < math.inf


def test_beyond_the_edge_both_are_infinite():
    transient = Transient.of(HeavyBall(0.01, 0.9).companion(400.0))
    assert transient.spectral_radius > 1
    assert transient.growth == transient.kreiss_constant == math.inf
    assert transient.eigenvector_condition < math.inf


@pytest.mark.parametrize("matrix", [np.ones((2, 3)), np.ones(4), np.array([[math.nan]]), np.zeros((0, 0))])
def test_what_has_no_powers_is_refused(matrix):
    with pytest.raises(
        SettingError, match=r"a matrix of shape .*square and finite.*method\.companion\(curvature\)"
    ):
        Transient.of(matrix)


@pytest.mark.parametrize("label", [*BAD, "ragged", "with a graph"])
def test_what_is_no_matrix_is_refused_in_a_sentence(label):
    more = {"ragged": [[1.0], [1.0, 2.0]], "with a graph": torch.eye(2, requires_grad=True)}
    with pytest.raises(SettingError) as refused, as_a_user_types():
        Transient.of((BAD | more)[label])
    assert str(refused.value).endswith("Give a companion matrix, as in Transient.of(method.companion(curvature)).")


def test_what_is_no_matrix_is_named():
    with (
        pytest.raises(SettingError, match=r"^Transient.of\('x'\): that is no matrix of real numbers\. "),
        as_a_user_types(),
    ):
        Transient.of("x")
    # Whole numbers are real ones.
    with as_a_user_types():
        assert Transient.of([[0, 3], [0, 0]]).growth == 3.0
