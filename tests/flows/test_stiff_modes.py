"""The exponential integrator on a few modes against the matrix exponential of all of them."""

import numpy as np
import pytest
import scipy.integrate
import torch

from edgewise.flows.central.stiff_modes import StiffModes
from reference.matrices import with_spectrum

SPECTRUM = torch.tensor([2.1, 1.6, 0.9, 0.3, 0.0, -0.2]).double()
METRIC = torch.linspace(0.5, 3.0, 6).double()


def modes_of(H, metric, k):
    root = metric.sqrt().expand(len(H))
    values, vectors = torch.linalg.eigh(H / root[:, None] / root)
    return StiffModes(
        curvatures=values.flip(0)[:k], directions=vectors.flip(1)[:, :k] / root[:, None], metric=metric
    )


@pytest.mark.parametrize("metric", [torch.tensor([1.7]).double(), METRIC], ids=["one", "each"])
@pytest.mark.parametrize("rising", [False, True], ids=["constant force", "rising force"])
def test_with_all_modes_a_quadratic_is_solved_exactly(metric, rising):
    H, force, time = with_spectrum(SPECTRUM), torch.linspace(-1, 2, 6).double(), 0.8
    stiff = modes_of(H, metric, 6)
    P, h, f = metric.expand(6).numpy(), H.numpy(), force.numpy()
    exact = scipy.integrate.solve_ivp(
        lambda t, w: -(f * (t / time if rising else 1.0) + h @ w) / P,
        (0, time),
        np.zeros(6),
        rtol=1e-11,
        atol=1e-13,
    ).y[:, -1]
    moved = -(stiff.relax_rising if rising else stiff.relax)(force, time)
    np.testing.assert_allclose(moved, exact, rtol=1e-8, atol=1e-10)


def test_without_modes_it_is_euler_and_the_trapezoidal_rule():
    force, time = torch.linspace(-1, 2, 6).double(), 0.8
    stiff = modes_of(with_spectrum(SPECTRUM), METRIC, 0)
    torch.testing.assert_close(stiff.relax(force, time), time * force / METRIC)
    torch.testing.assert_close(stiff.relax_rising(force, time), time * force / METRIC / 2)
    assert not stiff.restore(force).any()


def test_the_restoring_force_is_the_part_of_the_hessian_that_is_known():
    H, displacement = with_spectrum(SPECTRUM), torch.linspace(1, 2, 6).double()
    torch.testing.assert_close(modes_of(H, METRIC, 6).restore(displacement), H @ displacement)
    stiff = modes_of(H, METRIC, 2)
    along = stiff.directions @ torch.tensor([1.0, -2.0]).double()
    torch.testing.assert_close(stiff.restore(along), H @ along)


def test_a_flat_mode_is_not_divided_by_its_curvature():
    force = torch.ones(3).double()
    flat = StiffModes(
        curvatures=torch.zeros(1).double(), directions=torch.eye(3).double()[:, :1], metric=torch.ones(1).double()
    )
    torch.testing.assert_close(flat.relax(force, 0.5), 0.5 * force)
    torch.testing.assert_close(flat.relax_rising(force, 0.5), 0.25 * force)


@pytest.mark.parametrize("curvature", [2.9e-6, 3.1e-6, -3.1e-6, 1e-3])
def test_small_curvatures_lose_no_digits(curvature):
    stiff = StiffModes(
        curvatures=torch.tensor([curvature]).double(),
        directions=torch.ones(1, 1).double(),
        metric=torch.ones(1).double(),
    )
    one = torch.ones(1).double()
    assert stiff.relax(one, 1.0).item() == pytest.approx(1 - curvature / 2 + curvature**2 / 6, abs=1e-9)
    assert stiff.relax_rising(one, 1.0).item() == pytest.approx(0.5 - curvature / 6 + curvature**2 / 24, abs=1e-9)


def test_its_declared_order_is_two():
    """w' = −(H w + w³ + c): the predictor with Φ₁ and the corrector with Φ₂ halve the error twice per halving."""
    H, c = torch.diag(torch.tensor([1.9, 0.6]).double()), torch.tensor([0.5, -0.8]).double()
    stiff_one = modes_of(H, torch.ones(1).double(), 1)

    def gradient(w):
        return H @ w + w**3 + c

    def end(steps, time=2.0):
        w, h = torch.tensor([0.7, -0.4]).double(), time / steps
        for _ in range(steps):
            g = gradient(w)
            predicted = -stiff_one.relax(g, h)
            rest = gradient(w + predicted) - g - stiff_one.restore(predicted)
            w = w + predicted - stiff_one.relax_rising(rest, h)
        return w

    reference = end(4096)
    errors = [float((end(steps) - reference).norm()) for steps in (16, 32, 64)]
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert slopes == pytest.approx(2.0, abs=0.15)
