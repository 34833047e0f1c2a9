"""What is learnt from looking at the first step, and that nothing of it stays on the model."""

import copy
import io

import pytest
import torch
from torch import nn

from edgewise.watch.observer import Observer
from reference.watched import mlp


def test_samples_of_all_passes_of_a_step_are_added_up():
    model = mlp()
    observer = Observer(model)
    for size in (5, 5, 3):
        model(torch.zeros(size, 6))
    assert observer.samples == 13
    assert observer.autocast is None


def test_passes_without_gradients_are_no_training():
    model = mlp()
    observer = Observer(model)
    with torch.no_grad():
        model(torch.zeros(100, 6))
    assert observer.samples == 0


def test_the_autocast_of_the_passes_is_made_anew():
    model = mlp()
    observer = Observer(model)
    with torch.autocast("cpu", torch.float16):
        model(torch.zeros(2, 6))
    assert not torch.is_autocast_enabled("cpu")
    with observer.autocast():
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.float16
    assert not torch.is_autocast_enabled("cpu")


class Named(nn.Module):
    """A model that is called with names, as those of Hugging Face are."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 1)

    def forward(self, scale=1.0, *, points=None):
        return scale * self.inner(points)


def test_a_model_that_is_called_with_names():
    model = Named()
    observer = Observer(model)
    model(points=torch.zeros(7, 3))
    model(2.0, points=torch.zeros(2, 3))
    model(torch.tensor(2.0), points=torch.zeros(4, 3))  # a number first
    assert observer.samples == 13


def hooks_on(model):
    return {name: dict(value) for name, value in vars(model).items() if name.endswith(("hooks", "kwargs"))}


def test_after_closing_nothing_is_left():
    model = mlp()
    before = hooks_on(model)
    observer = Observer(model)
    observer.close()
    observer.close()
    assert hooks_on(model) == before
    model(torch.zeros(4, 6))
    assert observer.samples == 0


def test_a_copy_of_the_model_is_not_observed_and_holds_nothing_of_ours():
    model = mlp()
    observer = Observer(model)
    for other in (copy.deepcopy(model), copy.deepcopy(copy.deepcopy(model))):
        other(torch.zeros(4, 6))
    assert observer.samples == 0
    model(torch.zeros(4, 6))
    assert observer.samples == 4


def test_the_model_can_be_stored_whole_while_it_is_observed():
    model = mlp()
    observer = Observer(model)
    file = io.BytesIO()
    torch.save(model, file)
    # Nothing in the file asks for this package when it is read elsewhere.
    assert b"edgewise" not in file.getvalue()
    file.seek(0)
    other = torch.load(file, weights_only=False)
    torch.testing.assert_close(other(torch.ones(2, 6)), model(torch.ones(2, 6)), rtol=0, atol=0)
    assert observer.samples == 2


@pytest.mark.parametrize("sizes", [(), (0,)])
def test_nothing_to_count(sizes):
    model = mlp()
    observer = Observer(model)
    for size in sizes:
        model(torch.zeros(size, 6))
    assert observer.samples == 0
