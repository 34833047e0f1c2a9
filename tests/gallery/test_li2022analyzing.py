"""The linear network of li2022analyzing against NumPy, and the place of the output weights."""

import numpy as np
import pytest
import torch

from edgewise.gallery.li2022analyzing import recipe


def test_the_loss_is_half_the_mean_squared_error_of_a_product():
    objective, output = recipe.linear(seed=0)
    w = objective.start
    assert w[output].shape == (recipe.WIDTH,)
    # Linear in a for W fixed: along it the loss is an exact parabola.
    step = torch.zeros_like(w)
    step[output] = 1.0
    low, middle, high = (float(objective.value(w + s * step)) for s in (-1.0, 0.0, 1.0))
    curvature = float(step @ objective.at(w).hvp(step))
    assert low + high - 2 * middle == pytest.approx(curvature, rel=1e-10)


def test_scaling_the_layers_against_each_other_changes_nothing():
    objective, output = recipe.linear(seed=1)
    w = objective.start
    scaled = w / 2
    scaled[output] = 2 * w[output]
    assert float(objective.value(scaled)) == pytest.approx(float(objective.value(w)), rel=1e-12)


def test_the_output_weights_are_found_by_name():
    objective, output = recipe.tanh(seed=0)
    names, lengths = objective.space.names, objective.space.lengths
    tensors = dict(zip(names, torch.split(objective.start, list(lengths)), strict=True))
    last = next(name for name in reversed(names) if name.endswith("weight"))
    np.testing.assert_array_equal(objective.start[output].numpy(), tensors[last].numpy())
    assert lengths[names.index(last)] == 100
