"""What is refused before any training, and what fails during it without touching it."""

import re
import warnings

import pytest
import torch
from torch import nn

from edgewise.foundation import SettingError
from edgewise.watch import Watch, WatchWarning
from edgewise.watch.complaints import Complaints
from reference.bad_settings import as_a_user_types
from reference.watched import digits_like, mlp, plenty, train

CRITERION = nn.CrossEntropyLoss()


def sgd(model, lr=0.1):
    return torch.optim.SGD(model.parameters(), lr=lr)


def refused(words, **given):
    model = given.pop("model", None)
    model = mlp() if model is None else model
    optimizer = given.pop("optimizer", None)
    optimizer = sgd(model) if optimizer is None else optimizer
    settings = {"criterion": CRITERION, "probe_batch": digits_like(), **given}
    before = [p.detach().clone() for p in model.parameters() if not p.is_meta]
    with as_a_user_types(), pytest.raises(SettingError, match=words) as caught:
        Watch(model, optimizer, settings.pop("criterion"), settings.pop("probe_batch"), **settings)
    # In three parts, each of which says something.
    assert all(len(part) >= 8 for part in (caught.value.given, caught.value.why, caught.value.fix))
    for p, b in zip(model.parameters(), before, strict=False):
        assert torch.equal(p, b)
    assert not model._forward_pre_hooks


class TwoMoments(torch.optim.Optimizer):
    """Of somebody's own, with a closure that it cannot do without."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})

    def step(self, closure):
        return closure()


def refusals():
    inputs, labels = digits_like()
    yield (
        "another device",
        r"^a probe batch whose inputs are on meta: the model is on cpu\. Type \.to\('cpu'\)",
        {"probe_batch": (inputs.to("meta"), labels)},
    )
    yield (
        "targets on another device",
        r"^a probe batch whose targets are on meta: the model is on cpu\.",
        {"probe_batch": (inputs, labels.to("meta"))},
    )
    yield (
        "inputs of a wrong shape",
        r"^a probe batch with inputs of shape \(24, 5\): the model cannot be called",
        {"probe_batch": (inputs[:, :5], labels)},
    )
    yield (
        "targets of a wrong shape",
        r"^a probe batch with targets of shape \(23,\): the criterion",
        {"probe_batch": (inputs, labels[:23])},
    )
    yield (
        "no samples",
        r"^a probe batch without samples: .*\. Give a batch as the training takes\.",
        {"probe_batch": (inputs[:0], labels[:0])},
    )
    yield (
        "nan in the batch",
        r"^a probe batch with a loss of nan: .* without nan",
        {"probe_batch": (inputs * torch.nan, labels)},
    )
    yield (
        "a tensor alone",
        r"^a batch of type Tensor: the loss is taken of inputs and targets\.",
        {"probe_batch": inputs},
    )
    yield (
        "a dict and a criterion",
        r"^a batch of type dict: .*criterion=None for a model that returns",
        {"probe_batch": {"x": inputs, "y": labels}},
    )
    yield (
        "three parts",
        r"^a batch of type tuple: the loss is taken of inputs and targets\.",
        {"probe_batch": (inputs, labels, labels)},
    )
    yield (
        "no tensors",
        r"^inputs of type list: no tensor is in them\. Give tensors",
        {"probe_batch": ([1.0, 2.0], labels)},
    )
    yield (
        "no criterion and no dict",
        r"^a batch of type tuple and no criterion: .* keyword arguments\.",
        {"criterion": None},
    )
    yield (
        "a criterion of vectors",
        r"^a criterion that returns shape \(24,\): .*Type reduction",
        {"criterion": nn.CrossEntropyLoss(reduction="none")},
    )
    yield (
        "a criterion of floats",
        r"^a criterion that returns float: a loss is one number\.",
        {"criterion": lambda outputs, targets: 1.0},
    )
    yield (
        "a criterion that fails",
        r"^a probe batch with targets of shape \(24,\): .*ZeroDivisionError",
        {"criterion": lambda outputs, targets: 1 / 0},
    )
    yield "eval", r"^a Sequential in inference mode \(eval\): .*\. Type model\.train\(\)", {"model": mlp().eval()}
    yield (
        "nothing to train",
        r"^a Sequential with no trainable parameters: there is nothing to watch\.",
        {"model": mlp().requires_grad_(False)},
    )
    yield (
        "other parameters",
        r"^a SGD that moves no parameter of this Sequential: .*optim\.SGD\(model",
        {"optimizer": sgd(mlp())},
    )
    model = mlp()
    yield "LBFGS", r"^LBFGS, which steps with a closure: .*\. Give SGD, Adam", {
        "model": model, "optimizer": torch.optim.LBFGS(model.parameters())
    }  # fmt: skip
    yield "a closure of their own", r"^TwoMoments, which steps with a closure: .*\. Give SGD, Adam", {
        "model": model, "optimizer": TwoMoments(model.parameters())
    }  # fmt: skip
    yield (
        "no optimiser",
        r"^an optimizer of type float: .* torch\.optim\.Optimizer\.",
        {"optimizer": 0.1},
    )
    for size in (0, -1, 2.5, "8", True):
        yield (
            f"batch_size={size!r}",
            rf"^batch_size={re.escape(repr(size))}: it counts the samples",
            {"batch_size": size},
        )
    for budget in (0, 2, "3", None):
        yield f"budget={budget!r}", rf"^budget={re.escape(repr(budget))}: it is the share", {"budget": budget}


REFUSALS = {name: (words, given) for name, words, given in refusals()}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_input_is_refused_in_a_sentence(name):
    words, given = REFUSALS[name]
    refused(words, **given)


def test_what_is_no_module_is_refused():
    model = mlp()
    with as_a_user_types(), pytest.raises(SettingError, match=r"^a model of type method: .*torch\.nn\.Module"):
        Watch(model.forward, sgd(model), CRITERION, digits_like())


def test_a_model_made_in_inference_mode_is_refused():
    with torch.inference_mode():
        model = mlp()
    refused(r"^a model made or watched inside torch\.inference_mode\(\): ", model=model, optimizer=sgd(mlp()))


def test_a_watch_made_in_inference_mode_is_refused():
    with torch.inference_mode():
        refused(r"^a model made or watched inside torch\.inference_mode\(\): .*outside")


class OfItsOwn(nn.Module):
    """Returns a dict, with or without its loss, as those of Hugging Face do."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 3)

    def forward(self, points, labels=None):
        scores = self.inner(points)
        return {"scores": scores} if labels is None else {"loss": CRITERION(scores, labels), "scores": scores}


def test_a_model_that_returns_no_loss_without_a_criterion():
    model = OfItsOwn()
    refused(
        r"^a model that returns dict without a loss: .*\. Give the labels in the probe batch",
        model=model, criterion=None, probe_batch={"points": digits_like()[0]},
    )  # fmt: skip


def test_a_model_that_returns_its_loss_is_watched(monkeypatch):
    plenty(monkeypatch)
    model, (points, labels) = OfItsOwn(), digits_like()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, None, {"points": points, "labels": labels}, 1.0)
    for _ in range(20):
        optimizer.zero_grad()
        loss = model(points, labels)["loss"]
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert len(watch.readings.of("critical sharpness")) > 1
    assert len(watch.readings.of("effective sharpness")) > 1


class Failing:
    """A criterion that turns against us at some moment."""

    def __init__(self, how, after):
        self.how, self.left = how, after

    def __call__(self, outputs, targets):
        self.left -= 1
        if self.left < 0:
            return self.how(outputs, targets)
        return CRITERION(outputs, targets)


def boom(outputs, targets):
    raise RuntimeError("boom")


def watched(monkeypatch, *, criterion=CRITERION, steps=60, each=None, make=None, batch=None, lr=0.1, **settings):
    """A training, the watch over it, and the warnings that there were."""
    plenty(monkeypatch)
    model = mlp()
    batch = digits_like() if batch is None else batch
    optimizer = sgd(model, lr) if make is None else make(model)
    watch = Watch(model, optimizer, criterion, batch, 1.0, **settings)
    clean = digits_like()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        losses = train(
            model,
            optimizer,
            CRITERION,
            lambda step: clean,
            steps,
            watch,
            lambda step: None if each is None else each(step, optimizer, batch),
        )
    assert all(issubclass(warning.category, WatchWarning) for warning in caught)
    return watch, [str(warning.message) for warning in caught], losses


def since(watch, step):
    return {row.kind for row in watch.readings if row.step > step}


def test_a_criterion_that_begins_to_fail_is_one_warning(monkeypatch):
    criterion = Failing(boom, 100)
    watch, said, losses = watched(monkeypatch, criterion=criterion)
    assert criterion.left < 0
    assert len(said) == 1
    assert said[0].startswith("edgewise.Watch goes on without the ")
    assert "boom" in said[0]
    # What needs no criterion goes on, and so does the training.
    assert {"update norm", "gradient norm", "secant curvature"} <= since(watch, 50)
    assert losses[-1] < losses[0]
    assert len(watch.losses) == 60


def test_a_warning_points_at_the_line_of_the_loop():
    # Without the check of types, which puts functions of its own in between.
    about = Complaints.about.__wrapped__
    inside = {"__name__": "edgewise.watch.pretended", "about": about}
    exec("def step(complaints, error):\n    about(complaints, 'a reading', error)", inside)
    with pytest.warns(WatchWarning, match=r"goes on without a reading\. OSError: no\.$") as caught:
        inside["step"](Complaints(), OSError("no"))
    assert caught[0].filename == __file__


def test_a_probe_batch_that_becomes_nan_is_one_warning(monkeypatch):
    def spoil(step, optimizer, batch):
        if step == 20:
            batch[0].fill_(torch.nan)

    watch, said, _ = watched(monkeypatch, each=spoil)
    assert len(said) == 1
    assert "the loss of the batch that curvature is read on is not finite" in said[0]
    assert since(watch, 22) == {"update norm", "gradient norm", "secant curvature"}


def test_a_probe_batch_that_recovers_is_read_again(monkeypatch):
    kept = digits_like()[0]

    def spoil(step, optimizer, batch):
        if step == 10:
            batch[0].fill_(torch.nan)
        if step == 30:
            batch[0].copy_(kept)

    watch, said, _ = watched(monkeypatch, each=spoil)
    assert len(said) == 1
    assert {"critical sharpness", "effective sharpness"} <= since(watch, 32)


def test_a_training_that_overflows_and_is_taken_back(monkeypatch):
    kept = mlp().state_dict()

    def spoil(step, optimizer, batch):
        with torch.no_grad():
            for p, good in zip(optimizer.param_groups[0]["params"], kept.values(), strict=True):
                if step == 20:
                    p.fill_(torch.nan)
                if step == 30:
                    p.copy_(good)

    watch, said, _ = watched(monkeypatch, each=spoil)
    assert len(said) <= 1
    assert {"critical sharpness", "effective sharpness"} <= since(watch, 32)
    assert watch.losses.not_finite is None
    assert watch.verdict().diverged is None


@pytest.mark.parametrize("loss", [None, "a word", torch.ones(2), object()], ids=["none", "word", "two", "object"])
def test_a_loss_that_is_none_is_one_warning_and_everything_is_read(monkeypatch, loss):
    plenty(monkeypatch)
    model, batch = mlp(), digits_like()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0)
    with pytest.warns(WatchWarning, match="without the loss of a step") as caught:
        for _ in range(20):
            train(model, optimizer, CRITERION, lambda step: batch, 1)
            watch.step(loss)
    assert len(caught) == 1
    assert watch.steps == 20
    assert {"update norm", "critical sharpness", "gradient curvature", "effective sharpness"} <= since(watch, 0)
    assert not model._forward_pre_hooks
    assert watch.verdict().phase != "beyond the edge"


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def test_an_optimiser_with_a_corrupt_state_is_one_warning(monkeypatch):
    def spoil(step, optimizer, batch):
        if step >= 20:
            kept = next(iter(optimizer.state.values()))
            kept["exp_avg_sq"].copy_(-kept["exp_avg_sq"].abs() - 1.0)

    # Its own step takes the root of that, and all is nan from there on; the losses say so.
    watch, said, losses = watched(monkeypatch, make=adam, each=spoil)
    assert losses[-1] != losses[-1]
    assert len(said) <= 1
    assert watch.verdict().phase == "beyond the edge"


def test_an_optimiser_whose_state_was_lost_is_one_warning(monkeypatch):
    class Losing(torch.optim.Adam):
        """Keeps its second moments elsewhere."""

        hidden = None

        def step(self, closure=None):
            for p, kept in (self.hidden or {}).items():
                self.state[p]["exp_avg_sq"] = kept
            super().step()
            if len(self.state) and int(next(iter(self.state.values()))["step"]) > 20:
                self.hidden = {p: kept.pop("exp_avg_sq") for p, kept in self.state.items()}

    watch, said, losses = watched(monkeypatch, make=lambda model: Losing(model.parameters(), lr=0.01))
    assert len(said) == 1
    assert losses[-1] < losses[0]
    assert "critical sharpness" in since(watch, 50)
    assert "by its own updates" in watch.verdict().optimizer or watch.verdict().rests_on == "critical sharpness"


def test_an_unknown_optimiser_is_watched_by_its_own_updates(monkeypatch):
    watch, said, _ = watched(monkeypatch, make=lambda model: torch.optim.Adadelta(model.parameters(), lr=1.0))
    assert len(said) == 1
    assert "without the gradient curvature" in said[0] or "without the effective sharpness" in said[0]
    assert "Adadelta" in said[0]
    assert watch.verdict().rests_on == "critical sharpness"
    assert watch.verdict().optimizer == "Adadelta, by its own updates"


def test_a_sink_that_fails_is_one_warning_and_the_others_hear_all(monkeypatch):
    heard = []

    def deaf(step, numbers):
        raise OSError(f"disk full at {step}")

    def hears(step, numbers):
        heard.extend((step, name, value) for name, value in numbers.items())

    watch, said, _ = watched(monkeypatch, to=[deaf, hears], steps=30)
    assert len(said) == 1
    assert "the sink" in said[0]
    assert "disk full at 1" in said[0]
    for row in watch.readings:
        assert (row.step, f"edgewise/{row.kind.replace(' ', '_')}", row.value) in heard
    assert {step for step, _, _ in heard} == {row.step for row in watch.readings}


def test_two_causes_are_two_warnings(monkeypatch):
    def deaf(step, numbers):
        raise OSError("disk full")

    _, said, _ = watched(monkeypatch, criterion=Failing(boom, 100), to=deaf)
    assert len(said) == 2
    assert sorted("boom" in words for words in said) == [False, True]


def test_a_batch_of_another_kind_is_one_warning(monkeypatch):
    plenty(monkeypatch)
    model, batch = mlp(), digits_like()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, CRITERION, batch, 1.0)
    with pytest.warns(WatchWarning, match="a batch of type Tensor") as caught:
        for _ in range(20):
            train(model, optimizer, CRITERION, lambda step: batch, 1)
            watch.step(0.5, batch[0])
    assert len(caught) == 1
    assert "effective sharpness" in since(watch, 0)


def test_an_interrupt_passes_through_and_leaves_everything_as_it_was(monkeypatch):
    def interrupt(outputs, targets):
        raise KeyboardInterrupt

    plenty(monkeypatch)
    model, batch = mlp(), digits_like()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, Failing(interrupt, 8), batch, 1.0)
    interrupted = 0
    for _ in range(20):
        train(model, optimizer, CRITERION, lambda step: batch, 1)
        weights = [p.detach().clone() for p in model.parameters()]
        numbers = torch.get_rng_state()
        try:
            watch.step(0.5)
        except KeyboardInterrupt:
            interrupted += 1
        assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
        assert torch.equal(torch.get_rng_state(), numbers)
    assert interrupted > 3
    assert watch._budget.own > 0.0 or watch._budget.training > 0.0


def test_where_warnings_are_errors_there_is_one_error(monkeypatch):
    plenty(monkeypatch)
    model, batch = mlp(), digits_like()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, Failing(boom, 3), batch, 1.0)
    raised = 0
    for _ in range(20):
        train(model, optimizer, CRITERION, lambda step: batch, 1)
        try:
            watch.step(0.5)
        except WatchWarning:
            raised += 1
    assert raised == 1


def test_synchronised_batch_norm_in_one_process_is_watched():
    model = nn.Sequential(nn.Linear(6, 4), nn.SyncBatchNorm(4), nn.Linear(4, 3))
    with Watch(model, sgd(model), CRITERION, digits_like()) as watch:
        assert watch.steps == 0
