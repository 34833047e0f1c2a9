import pytest
import torch

from edgewise.curvature import directional_curvature
from edgewise.foundation import ObjectiveError, SettingError
from edgewise.objectives import Objective


def _bowl(*curvatures: float) -> Objective:
    diagonal = torch.tensor(curvatures, dtype=torch.float64)
    return Objective.from_function(lambda w: 0.5 * (diagonal * w**2).sum(), size=len(curvatures))


def test_it_is_the_rayleigh_quotient_of_the_hessian(setting):
    point = setting.objective(chunk_size=4).at(setting.w)
    d = point.gradient
    hessian = setting.hessian
    found = directional_curvature(point, d)
    assert found.value == pytest.approx(float(d @ hessian @ d / (d @ d)), rel=1e-9)
    residual = torch.linalg.vector_norm(hessian @ d - found.value * d) / torch.linalg.vector_norm(d)
    assert found.residual == pytest.approx(float(residual), rel=1e-7)
    assert found.products == point.products == 1


def test_along_an_eigenvector_it_is_the_eigenvalue_and_the_residual_vanishes():
    objective = _bowl(1.0, 7.0)
    found = directional_curvature(objective.at(objective.start), torch.tensor([0.0, -3.0], dtype=torch.float64))
    assert (found.value, found.residual) == (7.0, 0.0)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_the_length_of_the_direction_does_not_matter(scale):
    objective = _bowl(1.0, 3.0)
    direction = scale * torch.tensor([1.0, 1.0], dtype=torch.float64)
    found = directional_curvature(objective.at(objective.start), direction)
    assert found.value == pytest.approx(2.0, rel=1e-14)
    assert found.residual == pytest.approx(1.0, rel=1e-14)  # an eigenvalue lies this near: both do


@pytest.mark.parametrize("bad", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_direction_that_points_nowhere_is_refused(bad):
    objective = _bowl(1.0, 3.0)
    with pytest.raises(SettingError, match="it points nowhere"):
        directional_curvature(objective.at(objective.start), torch.tensor(bad, dtype=torch.float64))


def test_a_direction_that_does_not_fit_is_refused():
    objective = _bowl(1.0, 3.0)
    with pytest.raises(ObjectiveError, match="a vector of shape"):
        directional_curvature(objective.at(objective.start), torch.ones(3, dtype=torch.float64))
