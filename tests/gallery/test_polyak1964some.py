"""The quadratics of polyak1964some against closed forms and a scalar transcription."""

import math

import numpy as np
import pytest
import torch

from edgewise.gallery.polyak1964some.recipe import (
    BETAS,
    FAMILIES,
    FORMULAS,
    STEP_SIZE,
    bowl,
    descend,
    growth,
    method,
    mode_by_mode,
    steps_needed,
)


def _scalar(family: str, lr: float, beta: float, curvature: float, steps: int) -> list[float]:
    """The recursions as the papers write them, for one mode from one."""
    x, v, path = 1.0, 0.0, [1.0]
    for _ in range(steps):
        g = curvature * x
        v = beta * v + ((1 - beta) * g if family == "averaged" else g)
        x -= lr * (g + beta * v if family == "Nesterov" else v)
        path.append(x)
    return path


@pytest.mark.parametrize("family", FAMILIES)
def test_runs_are_those_of_the_recursion(family: str) -> None:
    curvatures = np.array([3.0, 50.0, 120.0])
    path = descend(method(family, STEP_SIZE, 0.9), bowl(curvatures), 50)
    reference = np.array([_scalar(family, STEP_SIZE, 0.9, c, 50) for c in curvatures]).T
    assert path == pytest.approx(reference, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("beta", BETAS)
def test_a_root_passes_minus_one_at_the_formula(family: str, beta: float) -> None:
    """At the threshold the recursion has the exact solution (−1)ᵗ, started from rest at the right velocity."""
    curvature = FORMULAS[family](beta) / STEP_SIZE
    companion = method(family, STEP_SIZE, beta).companion(curvature)
    assert companion @ np.array([-1.0, 1.0]) == pytest.approx([1.0, -1.0], rel=1e-12)


def test_the_quadratic_has_the_spectrum_it_is_said_to_have() -> None:
    dataset = mode_by_mode(seed=3)
    first, second = dataset["coefficient"].isel(step=0).values, dataset["coefficient"].isel(step=1).values
    assert first == pytest.approx(np.ones_like(first), rel=1e-13)
    factors = 1 - np.outer(dataset["step_size"].values, dataset["curvature"].values)
    assert second == pytest.approx(factors, abs=1e-14)


def test_the_fitted_growth_is_that_of_the_characteristic_polynomial() -> None:
    dataset = growth(beta=0.9).sel(family="Polyak")
    for curvature, measured in zip(dataset["curvature"].values, dataset["measured"].values, strict=True):
        roots = np.roots([1.0, -(1.9 - STEP_SIZE * curvature), 0.9])
        assert measured == pytest.approx(np.abs(roots).max(), rel=1e-6)


def test_tuned_gradient_descent_takes_the_steps_that_its_factor_says() -> None:
    steps = steps_needed(conditions=(10.0,))["steps"]
    assert steps.sel(kind="gradient descent").item() == math.ceil(math.log(1e-12) / math.log(9 / 11))


def test_the_bowl_is_as_steep_as_asked() -> None:
    objective = bowl(np.array([2.0, 5.0]))
    assert torch.equal(objective.gradient(objective.start), torch.tensor([2.0, 5.0]).double())
