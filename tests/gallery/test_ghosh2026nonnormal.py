"""The signatures of ghosh2026nonnormal against a general eigensolver."""

import numpy as np
import pytest

from edgewise.gallery.ghosh2026nonnormal import recipe


def test_signatures_are_those_of_the_dense_update() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((7, 7))
    hessian, diagonal, eta = root + root.T, rng.uniform(0.1, 3.0, 7), 0.2
    radius, condition, commutator, preconditioner = recipe.signatures(hessian, diagonal, eta)
    J = np.eye(7) - eta * np.diag(1 / diagonal) @ hessian
    values, V = np.linalg.eig(J)
    assert radius == pytest.approx(np.abs(values).max(), rel=1e-10)
    assert condition == pytest.approx(np.linalg.cond(V / np.linalg.norm(V, axis=0)), rel=1e-8)
    inverse = np.diag(1 / diagonal)
    size = np.linalg.norm(hessian @ inverse - inverse @ hessian, 2)
    assert commutator == pytest.approx(size / np.linalg.norm(hessian, 2) / np.linalg.norm(inverse, 2), rel=1e-10)
    assert preconditioner == pytest.approx(np.linalg.cond(np.diag(diagonal)), rel=1e-10)


def test_a_scalar_preconditioner_is_normal() -> None:
    root = np.random.default_rng(1).standard_normal((5, 5))
    _, condition, commutator, _ = recipe.signatures(root + root.T, np.full(5, 2.0), 0.1)
    assert condition == pytest.approx(1.0, abs=1e-12)
    assert commutator < 1e-15


def test_two_roots_meet_at_the_exceptional_points() -> None:
    beta = recipe.BETA
    for point in recipe.exceptional():
        assert (1 + beta - point) ** 2 == pytest.approx(4 * beta, rel=1e-12)
