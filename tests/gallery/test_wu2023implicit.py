"""The hand-written descents are gradient descent on logistic and exponential regression."""

import numpy as np
import pytest
import torch

import edgewise as ew
from edgewise.gallery.wu2023implicit import recipe


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_the_descents_are_gradient_descent_on_autograd(loss: str) -> None:
    inputs = torch.tensor(recipe.INPUTS)

    def value(w: torch.Tensor) -> torch.Tensor:
        margins = inputs @ w
        each = torch.nn.functional.softplus(-margins) if loss == "logistic" else torch.exp(-margins)
        return each.mean()

    record = recipe.descents(loss, 50).sel(step_size=1.0)
    objective = ew.Objective.from_function(value, 2)
    method, w = ew.GradientDescent(1.0), objective.start
    state = method.init(w)
    for step in range(51):
        np.testing.assert_allclose(record["w"].sel(step=step), w, atol=1e-12)
        assert float(record["loss"].sel(step=step)) == pytest.approx(float(value(w)), rel=1e-12)
        dense = torch.linalg.eigvalsh(torch.func.hessian(value)(w))[-1]
        assert float(record["sharpness"].sel(step=step)) == pytest.approx(float(dense), rel=1e-10)
        w, state = method.step(w, objective.gradient(w), state)


def test_the_first_axis_separates_with_the_largest_margin() -> None:
    angle = np.linspace(-np.pi, np.pi, 100_001)
    margins = (recipe.INPUTS @ np.stack([np.cos(angle), np.sin(angle)])).min(0)
    assert margins.max() == pytest.approx(recipe.MARGIN, abs=1e-8)
    assert angle[margins.argmax()] == pytest.approx(0.0, abs=1e-4)
