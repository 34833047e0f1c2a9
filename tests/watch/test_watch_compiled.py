"""Compiled models, and models under autocast, watched."""

import copy
import math

import pytest
import torch
from torch import nn

from edgewise.watch import Watch
from reference.bad_settings import as_a_user_types
from reference.watched import digits_like, mlp, plenty, train

CRITERION = nn.CrossEntropyLoss()
STEPS = 12
KINDS = {"update norm", "gradient norm", "critical sharpness", "gradient curvature", "effective sharpness"}


@pytest.fixture(autouse=True)
def rich(monkeypatch):
    plenty(monkeypatch)
    torch._dynamo.reset()
    with as_a_user_types():
        yield
    torch._dynamo.reset()


def whole(backend):
    return lambda model: torch.compile(model, backend=backend)


def in_place(backend):
    def compiled(model):
        model.compile(backend=backend)
        return model

    return compiled


def inside(backend):
    def compiled(model):
        model[0] = torch.compile(model[0], backend=backend)
        return model

    return compiled


def trained(how, *, watched, make=None):
    model = how(mlp())
    batch = digits_like()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01) if make is None else make(model)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0) if watched else None
    losses = train(model, optimizer, CRITERION, lambda step: batch, STEPS, watch)
    return [p.detach().clone() for p in model.parameters()], losses, watch


def compare(how, tolerance):
    plain, losses, _ = trained(how, watched=False)
    torch._dynamo.reset()
    watched, its, watch = trained(how, watched=True)
    assert losses == its
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))
    _, _, eager = trained(lambda model: model, watched=True)
    assert {row.kind for row in watch.readings} >= KINDS
    for a, b in zip(watch.readings, eager.readings, strict=True):
        assert (a.kind, a.step) == (b.kind, b.step)
        # Where the line search ends a bracket earlier, it is within the tolerance that it asks for.
        wanted = max(tolerance, 0.1) if a.kind == "critical sharpness" else tolerance
        assert a.value == pytest.approx(b.value, rel=wanted), a.kind


@pytest.mark.parametrize("how", [whole, in_place, inside], ids=lambda how: how.__name__)
def test_a_model_compiled_without_code_is_read_as_the_eager_one(how):
    compare(how("eager"), 1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("how", [whole, in_place], ids=lambda how: how.__name__)
def test_a_model_compiled_to_code_is_read_as_the_eager_one(how):
    try:
        torch.compile(mlp())(digits_like()[0])
    except Exception as error:  # no compiler here
        pytest.skip(f"torch.compile does not work here: {type(error).__name__}")
    # Kernels of another order of sums; Adam makes of a rounding of a small gradient one of the update.
    compare(how("inductor"), 1e-2)


def test_no_graph_is_compiled_for_the_watch_that_training_has_to_compile_again():
    counter = torch._dynamo.testing.CompileCounter()
    plain, *_ = trained(whole(counter), watched=False)
    alone = counter.frame_count
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    model, batch = whole(counter)(mlp()), digits_like()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0)
    train(model, optimizer, CRITERION, lambda step: batch, STEPS, watch)
    # One more, for passes without gradients.
    assert counter.frame_count <= alone + 1
    assert all(torch.equal(a, b) for a, b in zip(plain, model.parameters(), strict=True))


def test_names_are_those_of_the_model_that_was_compiled():
    _, _, watch = trained(whole("eager"), watched=True)
    assert watch._live.space.names == tuple(name for name, _ in mlp().named_parameters())


@pytest.mark.parametrize("where", ["forward", "everything"])
def test_autocast_is_observed_and_used(where):
    model, batch = mlp(), digits_like()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    dtypes = []

    def criterion(outputs, targets):
        dtypes.append(outputs.dtype)
        return CRITERION(outputs, targets)

    watch = Watch(model, optimizer, criterion, batch, 1.0)
    dtypes.clear()
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = CRITERION(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        with torch.autocast("cpu", torch.bfloat16, enabled=where == "everything"):
            watch.step(loss)
    assert {row.kind for row in watch.readings} >= KINDS
    for row in watch.readings:
        assert math.isfinite(row.value)
    # Forward passes as in training; second derivatives in full precision.
    assert set(dtypes) == {torch.bfloat16, torch.float32}
    assert watch._live.rounding == pytest.approx(2.0**-7 / 24**0.5)


def test_readings_under_autocast_are_near_those_in_full_precision():
    found = {}
    for half in (True, False):
        model, batch = mlp(), digits_like()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        watch = Watch(model, optimizer, CRITERION, batch, 1.0)
        for _ in range(STEPS):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                loss = CRITERION(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            watch.step(loss)
        found[half] = watch.readings
    for kind in ("gradient curvature", "effective sharpness"):
        a, b = (found[half].of(kind).column("value") for half in (True, False))
        assert a == pytest.approx(b, rel=0.05)


@pytest.mark.parametrize("under", [False, True])
def test_a_given_autocast_is_kept(under):
    model, batch = mlp(), digits_like()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []

    def half():
        seen.append(1)
        return torch.autocast("cpu", torch.bfloat16)

    watch = Watch(model, optimizer, CRITERION, batch, 1.0, autocast=half)
    with torch.autocast("cpu", torch.float16, enabled=under):
        train(model, optimizer, CRITERION, lambda step: batch, STEPS, watch)
    assert len(seen) > STEPS
    assert watch._live.autocast is half


def test_parameters_in_half_precision_are_watched_by_forward_passes():
    model = mlp(dtype=torch.bfloat16)
    batch = digits_like(dtype=torch.bfloat16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0)
    train(model, optimizer, CRITERION, lambda step: batch, 2 * STEPS, watch)
    assert {row.kind for row in watch.readings} == KINDS - {"gradient curvature", "effective sharpness"} | {
        "secant curvature"
    }
    assert watch.verdict().rests_on == "critical sharpness"


def test_a_copy_of_a_compiled_model_is_unharmed():
    model = whole("eager")(mlp())
    Watch(model, torch.optim.SGD(model.parameters(), lr=0.1), CRITERION, digits_like())
    other = copy.deepcopy(mlp())
    other.load_state_dict({name.removeprefix("_orig_mod."): v for name, v in model.state_dict().items()})
    assert torch.equal(other(digits_like()[0]), mlp()(digits_like()[0]))
