"""Critical sharpness of a live model along any direction, against dense Hessians and by bisection."""

import math

import pytest
import torch
from scipy.optimize import brentq
from torch import nn

from edgewise.foundation import ObjectiveError, SettingError
from edgewise.watch import critical_sharpness
from reference.bad_settings import as_a_user_types
from reference.watched import dense_hessian, digits_like, mlp

CRITERION = nn.CrossEntropyLoss()
SQUARE = nn.MSELoss()


def linear(dtype=torch.float64):
    """A linear model under a square loss: its loss is a quadratic."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Linear(6, 2).to(dtype)
    inputs, _ = digits_like(dtype=dtype)
    return model, (inputs, torch.sin(inputs[:, :2]))


def test_down_the_gradient_of_a_quadratic_it_is_the_curvature_along_it():
    model, batch = linear()
    g, H = dense_hessian(model, SQUARE, batch)
    found = critical_sharpness(model, SQUARE, batch, -g)
    assert found.ending == "found"
    assert found.sharpness == pytest.approx(float(g @ H @ g / (g @ g)), rel=1e-6)
    assert found.bounds[0] <= found.sharpness * (1 + 1e-9)
    assert found.bounds[1] >= found.sharpness * (1 - 1e-9)


def test_along_the_real_update_of_an_optimiser():
    model, batch = linear()
    start = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    SQUARE(model(batch[0]), batch[1]).backward()
    optimizer.step()
    update = [p.detach() - b for p, b in zip(model.parameters(), start, strict=True)]
    with torch.no_grad():
        for p, b in zip(model.parameters(), start, strict=True):
            p.copy_(b)
    flat = torch.cat([u.reshape(-1) for u in update])
    g, H = dense_hessian(model, SQUARE, batch)
    found = critical_sharpness(model, SQUARE, batch, update)
    assert found.step == pytest.approx(float(-2 * g @ flat / (flat @ H @ flat)), rel=1e-6)


def test_of_a_network_it_is_where_the_loss_comes_back():
    model, batch = mlp(dtype=torch.float64), digits_like(dtype=torch.float64)
    g, _ = dense_hessian(model, CRITERION, batch)
    other = mlp(dtype=torch.float64)
    start = nn.utils.parameters_to_vector(model.parameters()).detach()

    def rise(eta):
        with torch.no_grad():
            nn.utils.vector_to_parameters(start - eta * g, other.parameters())
            return float(CRITERION(other(batch[0]), batch[1]) - CRITERION(model(batch[0]), batch[1]))

    found = critical_sharpness(model, CRITERION, batch, -g, rtol=0.01, passes=40)
    top = next(2.0**i for i in range(20) if rise(2.0**i) > 0)
    assert found.step == pytest.approx(brentq(rise, 1e-3, top), rel=0.01)
    assert found.low <= found.step <= found.high


def test_the_same_direction_in_every_form():
    model, batch = linear()
    g, _ = dense_hessian(model, SQUARE, batch)
    pieces = [-piece.view(p.shape) for p, piece in zip(model.parameters(), g.split([12, 2]), strict=True)]
    named = {"bias": pieces[1], "weight": pieces[0]}  # in any order
    forms = [-g, pieces, tuple(pieces), named, (-g).float()]
    found = [critical_sharpness(model, SQUARE, batch, form).step for form in forms]
    assert found[:4] == found[:1] * 4
    assert found[4] == pytest.approx(found[0], rel=1e-5)


def test_frozen_parameters_are_no_part_of_it():
    model, batch = linear()
    model.bias.requires_grad_(False)
    g, H = dense_hessian(model, SQUARE, batch)
    assert len(g) == 12
    found = critical_sharpness(model, SQUARE, batch, -g.view(2, 6))
    assert found.sharpness == pytest.approx(float(g @ H @ g / (g @ g)), rel=1e-6)


def test_uphill_and_for_ever_downhill():
    model, batch = linear()
    g, _ = dense_hessian(model, SQUARE, batch)
    up = critical_sharpness(model, SQUARE, batch, g)
    assert (up.ending, up.step, up.sharpness) == ("ascends", 0.0, math.inf)
    down = critical_sharpness(model, lambda outputs, _: outputs.sum(), batch, [-torch.ones(2, 6), -torch.ones(2)])
    assert down.ending in ("never rises", "ascends")


def test_the_model_is_left_as_it_is():
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    batch = digits_like()
    for training in (True, False):
        model.train(training)
        state = {name: value.clone() for name, value in model.state_dict().items()}
        numbers = torch.get_rng_state()
        direction = [-0.1 * torch.ones_like(p) for p in model.parameters()]
        critical_sharpness(model, CRITERION, batch, direction)
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
        assert torch.equal(torch.get_rng_state(), numbers)
        assert model.training == training
        assert all(p.grad is None for p in model.parameters())


def test_it_counts_its_passes_and_keeps_to_them():
    model, batch = linear()
    g, _ = dense_hessian(model, SQUARE, batch)
    calls = []

    def counted(outputs, targets):
        calls.append(1)
        return SQUARE(outputs, targets)

    found = critical_sharpness(model, counted, batch, -g, guess=1e-3, passes=20)
    # One more to see that the parts fit, and one at the present point.
    assert len(calls) == found.passes + 2
    calls.clear()
    assert critical_sharpness(model, counted, batch, -g, guess=1e-3, passes=3).passes == 3


def test_under_autocast():
    model, batch = linear(torch.float32)
    g, H = dense_hessian(model, SQUARE, batch)
    found = critical_sharpness(
        model, SQUARE, batch, -g.float(), autocast=lambda: torch.autocast("cpu", torch.bfloat16)
    )
    # Eight bits of mantissa, and a loss that changes by a good part of itself on the way.
    assert found.sharpness == pytest.approx(float(g @ H @ g / (g @ g)), rel=0.1)


BAD = {
    "a vector that is too short": (torch.ones(13), r"^a direction of shape \(13,\): the model has 2 trainable"),
    "names that are others": (
        {"weight": torch.ones(2, 6)},
        r"^a direction with the names weight: the model has",
    ),
    "too few tensors": (
        [torch.ones(2, 6)],
        r"^a direction of 1 tensors: the model has 2 .* 14 entries\.",
    ),
    "tensors of other shapes": ([torch.ones(6, 2), torch.ones(2)], r"^a direction of 2 tensors: the model has 2"),
    "zero": (torch.zeros(14), r"^a direction that is zero or not finite: it points nowhere\."),
    "not finite": (torch.full((14,), math.nan), r"^a direction that is zero or not finite: "),
}


@pytest.mark.parametrize("name", BAD)
def test_a_direction_that_does_not_fit(name):
    direction, words = BAD[name]
    model, batch = linear()
    with pytest.raises(SettingError, match=words):
        critical_sharpness(model, SQUARE, batch, direction)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"guess": 0}, r"^guess=0: a step is a positive multiple\."),
        ({"rtol": 0}, r"^rtol=0: it is a share of the step\."),
        ({"passes": 0}, r"^passes=0: nothing can be found without looking\."),
    ],
)
def test_settings_out_of_range(how, words):
    model, batch = linear()
    with as_a_user_types(), pytest.raises(SettingError, match=words):
        critical_sharpness(model, SQUARE, batch, torch.ones(14), **how)


def test_a_model_without_parameters_to_move():
    model, batch = linear()
    model.requires_grad_(False)
    with pytest.raises(ObjectiveError, match=r"^a Linear with no trainable parameter: there is nothing"):
        critical_sharpness(model, SQUARE, batch, torch.ones(14))
