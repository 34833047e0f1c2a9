"""Every reading against what it says it is, from dense matrices in float64 or literally."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import t as student
from torch import nn

from edgewise.curvature import Tracker
from edgewise.methods import line_from_torch
from edgewise.watch.instrument import Moment
from edgewise.watch.instruments import CriticalSharpness, EffectiveSharpness, GradientCurvature, Norms
from edgewise.watch.live import LiveLoss
from reference.watched import dense_hessian, digits_like, mlp

optim = torch.optim
CRITERION = nn.CrossEntropyLoss()


def half_square(outputs, targets):
    return 0.5 * (outputs - targets).square().mean()


class Step:
    """One update of a model, and the moment right after it."""

    def __init__(self, model, optimizer, criterion, batch, *, probe=None, steps=1, number=0):
        self.model, self.optimizer, self.criterion, self.batch = model, optimizer, criterion, batch
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.live = LiveLoss(model, criterion, batch if probe is None else probe, self.parameters)
        self.number = number
        for _ in range(steps):
            self.step()

    def step(self):
        self.before = [p.detach().clone() for p in self.parameters.values()]
        self.optimizer.zero_grad()
        self.criterion(self.model(self.batch[0]), self.batch[1]).backward()
        self.optimizer.step()
        self.number += 1

    def moment(self, *, batch=None, batch_size=None):
        tensors = list(self.parameters.values())
        return Moment(
            step=self.number,
            live=self.live,
            before=self.before,
            gradients=[p.grad for p in tensors],
            lr=float(self.optimizer.param_groups[0]["lr"]),
            batch=batch,
            batch_size=batch_size,
            line=lambda: line_from_torch(self.optimizer, tensors),
        )

    @property
    def update(self):
        return flat(self.parameters.values()) - flat(self.before)


def flat(tensors):
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def metric(optimizer, tensors):
    """The diagonal P and the critical curvature of SGD and Adam, written out."""
    (group,) = optimizer.param_groups
    if isinstance(optimizer, optim.SGD):
        critical = (2 + 2 * group["momentum"]) / group["lr"]
        # Weight decay through the gradient lowers the line, where nothing preconditions it.
        return torch.ones(sum(t.numel() for t in tensors), dtype=torch.float64), critical - group["weight_decay"]
    beta1, beta2 = group["betas"]
    t = float(optimizer.state[tensors[0]]["step"])
    second = flat([optimizer.state[p]["exp_avg_sq"] for p in tensors]) / (1 - beta2**t)
    P = (1 - beta1 ** (t + 1)) * (second.sqrt() + group["eps"])
    return P, (2 + 2 * beta1) / ((1 - beta1) * group["lr"])


def network(make, *, steps=5, dtype=torch.float64, **how):
    model = mlp(dtype=dtype)
    return Step(model, make(model.parameters()), CRITERION, digits_like(dtype=dtype), steps=steps, **how)


KNOWN = {
    "sgd": lambda p: optim.SGD(p, lr=0.2),
    "momentum": lambda p: optim.SGD(p, lr=0.2, momentum=0.8),
    "momentum and decay": lambda p: optim.SGD(p, lr=0.2, momentum=0.8, weight_decay=0.3),
    "adam": lambda p: optim.Adam(p, lr=0.02, eps=1e-4),
    "adam and decay": lambda p: optim.Adam(p, lr=0.02, eps=1e-4, weight_decay=0.3),
    "adamw": lambda p: optim.AdamW(p, lr=0.02, betas=(0.7, 0.99), weight_decay=0.0, eps=1e-4),
}


def effective(step):
    """Gradient of the loss, Hessian that the optimiser sees, P and the critical curvature: all dense."""
    tensors = list(step.parameters.values())
    gradient, H = dense_hessian(step.model, step.criterion, step.batch)
    P, critical = metric(step.optimizer, tensors)
    if isinstance(step.optimizer, optim.Adam) and not isinstance(step.optimizer, optim.AdamW):
        H = H + step.optimizer.param_groups[0]["weight_decay"] * torch.eye(len(H), dtype=torch.float64)
    return gradient, H, P, critical


@pytest.mark.parametrize("name", KNOWN)
def test_effective_sharpness_is_the_largest_eigenvalue_of_the_preconditioned_hessian(name):
    step = network(KNOWN[name])
    _, H, P, critical = effective(step)
    root = P.rsqrt()
    exact = float(torch.linalg.eigvalsh(root[:, None] * H * root[None])[-1])
    instrument = EffectiveSharpness(seed=0)
    readings = [instrument.read(step.moment())[0] for _ in range(5)]
    for row in readings:
        assert row.low == row.value <= exact * (1 + 1e-12)  # a Ritz value
        assert row.critical == pytest.approx(critical, rel=1e-12)
        assert (row.kind, row.step) == ("effective sharpness", 5)
    # Products are few at first; from the second reading on it is what it says.
    for row in readings[2:]:
        assert row.value == pytest.approx(exact, rel=0.05)
        assert row.high >= exact * (1 - 1e-12)
    assert readings[-1].ratio == pytest.approx(exact / critical, rel=0.05)
    assert readings[0].passes <= 3 + 6 * 2 * 4 + 1e-9
    assert sum(instrument.shares.values()) == pytest.approx(1.0)
    assert list(instrument.shares) == list(step.parameters)


@pytest.mark.parametrize("name", KNOWN)
def test_gradient_curvature_is_that_along_the_preconditioned_gradient(name):
    step = network(KNOWN[name])
    gradient, H, P, critical = effective(step)
    direction = gradient / P
    exact = float(direction @ H @ direction / (direction @ gradient))
    (row,) = GradientCurvature(seed=0).read(step.moment())
    assert row.kind == "gradient curvature"
    assert row.value == pytest.approx(exact, rel=1e-10)
    assert (row.low, row.high) == (row.value, row.value)
    assert row.critical == pytest.approx(critical, rel=1e-12)
    assert row.passes == 9.0


def in_mean_square(optimizer, agreement):
    """Heavy ball, in closed form: 2(1 − β)/η ÷ (1 − 2βq/(1 + β)), with η(1 − β) for η where m is an average."""
    (group,) = optimizer.param_groups
    if isinstance(optimizer, optim.SGD):
        beta, lr = group["momentum"], group["lr"]
    else:
        beta, lr = group["betas"][0], group["lr"] * (1 - group["betas"][0])
    return 2 * (1 - beta) / lr / (1 - 2 * beta * agreement / (1 + beta))


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adam and decay"])
@pytest.mark.parametrize(("size", "count"), [(8, 3), (5, 4), (2, 8), (12, 2)])
def test_batch_sharpness_is_the_mean_over_batches_with_its_interval_and_its_line(name, size, count):
    step = network(KNOWN[name])
    moment = step.moment(batch_size=size)
    (row,) = GradientCurvature(seed=3).read(moment)
    assert row.kind == "batch sharpness"
    batches = moment.batches(3)
    assert [len(batch) for batch in batches] == [size] * count
    together = torch.cat(batches)
    assert len(together.unique()) == len(together)
    values, cross, before = [], [], None
    for batch in batches:
        step.batch = moment.live.inputs[batch], moment.live.targets[batch]
        gradient, H, P, _ = effective(step)
        if before is not None:
            g, d = before
            cross.append(float(d @ H @ d / (d @ g)))
        direction = gradient / P
        values.append(float(direction @ H @ direction / (direction @ gradient)))
        before = gradient, direction
    assert row.value == pytest.approx(np.mean(values), rel=1e-9)
    low, high = student.interval(0.95, count - 1, np.mean(values), np.std(values, ddof=1) / math.sqrt(count))
    assert (row.low, row.high) == (pytest.approx(low, rel=1e-8), pytest.approx(high, rel=1e-8))
    agreement = min(max(np.mean(cross) / np.mean(values), 0.0), 1.0)
    expected = in_mean_square(step.optimizer, agreement)
    if name.startswith("adam"):
        # In the middle between that and where noise does not count at all.
        expected = math.sqrt(expected * in_mean_square(step.optimizer, 1.0) / agreement)
    assert row.critical == pytest.approx(expected, rel=1e-6)
    assert row.passes == pytest.approx((3 + 6 * (2 - 1 / count)) * count * size / 24)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adam and decay"])
@pytest.mark.parametrize("size", [8, 3])
def test_mean_square_sharpness_is_that_of_the_batches_along_the_eigenvector(name, size, monkeypatch):
    # The eigenvector to as many digits as it takes to compare.
    monkeypatch.setattr(EffectiveSharpness, "_tracker", Tracker(k=1, rtol=1e-12))
    step = network(KNOWN[name])
    instrument, moment = EffectiveSharpness(seed=3), step.moment(batch_size=size)
    for _ in range(12):
        top, row = instrument.read(moment)
    assert (top.kind, row.kind, row.step, row.lr) == (
        "effective sharpness", "mean-square sharpness", moment.step, moment.lr
    )  # fmt: skip
    _, H, P, _ = effective(step)
    root = P.rsqrt()
    exact, vectors = torch.linalg.eigh(root[:, None] * H * root[None])
    squares = []
    for batch in moment.batches(3):
        step.batch = moment.live.inputs[batch], moment.live.targets[batch]
        product = root * (effective(step)[1] @ (root * vectors[:, -1]))
        squares.append(float(product @ product))
    top_value, mean = float(exact[-1]), np.mean(squares)
    error = np.std(squares, ddof=1) / math.sqrt(len(squares))
    low, high = student.interval(0.95, len(squares) - 1, mean, error)

    def alike(square):
        single = max(square, top_value**2) / top_value
        line = in_mean_square(step.optimizer, min(top_value / single, 1.0))
        return single / line * in_mean_square(step.optimizer, 1.0)

    if name.startswith("adam"):
        expected = [top_value, math.sqrt(top_value * alike(mean)), alike(high)]
    else:
        expected = [alike(low), alike(mean), alike(high)]
    assert [row.low, row.value, row.high] == pytest.approx(expected, rel=1e-4)
    assert row.critical == top.critical
    assert row.passes == pytest.approx(9 * len(squares) * size / 24)
    # Noise brings the edge nearer.
    assert row.ratio > top.ratio


def test_the_batches_differ_from_step_to_step_and_come_again_for_the_same_seed():
    step = network(KNOWN["sgd"])
    first, again, other = (step.moment(batch_size=8).batches(seed) for seed in (3, 3, 4))
    step.number += 1
    later = step.moment(batch_size=8).batches(3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, later, strict=True))


@pytest.mark.parametrize("size", [13, 24, 100, None])
def test_a_probe_batch_without_two_batches_is_not_cut(size):
    (row,) = GradientCurvature(seed=0).read(network(KNOWN["sgd"]).moment(batch_size=size))
    assert row.kind == "gradient curvature"


class Valley(nn.Module):
    """½ Σ λᵢ wᵢ², as the loss of a linear model."""

    def __init__(self, start):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, x):
        return x @ self.w


CURVATURES = torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64)


def valley(make, start=(1.0, 0.5, -2.0), **how):
    model = Valley(list(start))
    rows = torch.diag((3 * CURVATURES).sqrt())
    batch = rows, torch.zeros(3, dtype=torch.float64)
    return Step(model, make(model.parameters()), half_square, batch, **how)


MOVES = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "rprop": lambda p: optim.Rprop(p, lr=0.05),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("steps", [1, 3])
def test_critical_sharpness_along_the_update_of_a_quadratic(name, steps):
    step = valley(MOVES[name], steps=steps)
    w, update = step.before[0], step.update
    # L(w + sΔ) − L(w) = s gᵀΔ + ½ s² ΔᵀHΔ comes back at s_c.
    back = float(-2 * (CURVATURES * w) @ update / (update @ (CURVATURES * update)))
    assert back > 0
    (row,) = CriticalSharpness().read(step.moment())
    assert row.ratio == pytest.approx(1 / back, rel=1e-6)  # false position is exact where the slope is a line
    assert row.low <= row.value * (1 + 1e-12)
    assert row.high >= row.value * (1 - 1e-12)
    lr = step.optimizer.param_groups[0]["lr"]
    assert row.critical == pytest.approx(2 / lr)
    assert row.value == pytest.approx(2 / (back * lr), rel=1e-6)


def test_critical_sharpness_of_gradient_descent_is_the_curvature_along_the_gradient():
    step = valley(MOVES["sgd"])
    g = CURVATURES * step.before[0]
    (row,) = CriticalSharpness().read(step.moment())
    assert row.value == pytest.approx(float(g @ (CURVATURES * g) / (g @ g)), rel=1e-6)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_critical_sharpness_of_a_network_lies_in_its_bracket(name):
    step = network(KNOWN[name], steps=3)
    after = flat(step.parameters.values())
    model = mlp(dtype=torch.float64)

    def rise(s):
        with torch.no_grad():
            nn.utils.vector_to_parameters(torch.lerp(flat(step.before), after, s), model.parameters())
            return float(CRITERION(model(step.batch[0]), step.batch[1])) - step.live.value_at(step.before)

    (row,) = CriticalSharpness().read(step.moment())
    top = next(s for s in 2.0 ** np.arange(16) if rise(s) > 0)
    back = brentq(rise, 1e-3, top, xtol=1e-12)
    assert row.low <= 2 / (back * row.lr) <= row.high
    assert row.ratio == pytest.approx(1 / back, rel=0.1)  # the tolerance that it asks for


def test_the_batch_of_the_update_is_what_it_is_read_on():
    inputs, labels = digits_like(dtype=torch.float64)
    own = inputs[:5] * 2, labels[:5]
    model = mlp(dtype=torch.float64)
    step = Step(model, optim.SGD(model.parameters(), lr=0.3), CRITERION, own, probe=(inputs, labels))
    (on_probe,) = CriticalSharpness().read(step.moment())
    (on_own,) = CriticalSharpness().read(step.moment(batch=own))
    alone = Step(mlp(dtype=torch.float64), optim.SGD(model.parameters(), lr=0.3), CRITERION, own, steps=0)
    alone.live = LiveLoss(model, CRITERION, own, step.parameters)
    alone.before, alone.number, alone.parameters = step.before, step.number, step.parameters
    (reference,) = CriticalSharpness().read(alone.moment())
    assert on_own.value == reference.value
    assert on_own.value != pytest.approx(on_probe.value, rel=0.01)


def test_an_update_uphill_has_no_step_that_is_short_enough():
    model = Valley([1.0, 0.5, -2.0])
    step = valley(lambda p: optim.SGD(p, lr=0.1, maximize=True), start=(1.0, 0.5, -2.0))
    (row,) = CriticalSharpness().read(step.moment())
    assert row.value == math.inf
    assert row.high == math.inf
    assert row.low > 0
    assert model is not step.model


@pytest.mark.parametrize("lr", [0.0, 0.1])
def test_an_update_of_length_zero_has_nothing_to_read(lr):
    step = valley(lambda p: optim.SGD(p, lr=lr), start=(0.0, 0.0, 0.0))
    assert CriticalSharpness().read(step.moment()) == []
    assert GradientCurvature(seed=0).read(step.moment()) == []
    (row,) = Norms().read(step.moment())
    assert (row.kind, row.value) == ("update norm", 0.0)
    assert Norms().follow(step.moment()) == []


def at_its_edge(name):
    """A quadratic with its largest curvature where the optimiser loses stability, on its orbit of period two."""
    top = float(CURVATURES[0])
    momentum = 0.0 if name == "sgd" else 0.6
    lr = (2 + 2 * momentum) / top
    if name == "nesterov":
        lr = (2 + 2 * momentum) / (1 + 2 * momentum) / top
    step = valley(
        lambda p: optim.SGD(p, lr=lr, momentum=momentum, nesterov=name == "nesterov"),
        start=(1.0, 0.0, 0.0),
        steps=0,
    )
    # On the orbit x ↦ −x of the heavy ball, v' = μv + g = 2x/η and v = −v': v' = −μv' + λx.
    if momentum:
        g = CURVATURES * step.model.w.detach()
        velocity = g / (1 + momentum)
        step.optimizer.state[step.model.w]["momentum_buffer"] = -velocity
    step.step()
    return step


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
def test_the_ratio_is_one_at_an_edge_made_on_purpose(name):
    step = at_its_edge(name)
    # It is the orbit: the update leads to the other side.
    assert step.model.w.tolist() == pytest.approx([-1.0, 0.0, 0.0], abs=1e-12)
    (along,) = CriticalSharpness().read(step.moment())
    assert along.ratio == pytest.approx(1.0, rel=1e-6)
    (gradient,) = GradientCurvature(seed=0).read(step.moment())
    assert gradient.ratio == pytest.approx(1.0, rel=1e-12)
    (top,) = EffectiveSharpness(seed=0).read(step.moment())
    assert top.ratio == pytest.approx(1.0, rel=1e-9)


def test_the_ratio_is_one_at_an_edge_of_adam_made_on_purpose():
    step = valley(lambda p: optim.Adam(p, lr=0.01, eps=1e-3), steps=4)
    P, critical = metric(step.optimizer, [step.model.w])
    largest = float((CURVATURES / P).max())
    step.optimizer.param_groups[0]["lr"] *= critical / largest
    instrument = EffectiveSharpness(seed=0)
    for _ in range(3):
        (row,) = instrument.read(step.moment())
    assert row.ratio == pytest.approx(1.0, rel=1e-6)


def test_norms_and_secant_are_what_they_say():
    step = network(KNOWN["momentum"], steps=3)
    norms = Norms()
    rows = norms.read(step.moment())
    update, g = step.update, flat([p.grad for p in step.parameters.values()])
    assert [row.kind for row in rows] == ["update norm", "gradient norm"]
    assert rows[0].value == pytest.approx(float(update.norm()), rel=1e-12)
    assert rows[1].value == pytest.approx(float(g.norm()), rel=1e-12)
    assert all(row.critical is None and row.ratio is None for row in rows)
    number = step.number
    step.step()
    later = flat([p.grad for p in step.parameters.values()])
    (row,) = norms.follow(step.moment())
    assert (row.kind, row.step) == ("secant curvature", number)
    assert row.value == pytest.approx(float(update @ (later - g) / (update @ update)), rel=1e-10)
    assert row.critical == pytest.approx(float(-2 * g @ update / (update @ update)), rel=1e-10)
    assert norms.follow(step.moment()) == []  # once


def test_the_secant_of_gradient_descent_on_a_quadratic_has_its_edge_at_two_by_the_step_size():
    step = valley(MOVES["sgd"])
    norms = Norms()
    norms.read(step.moment())
    g = CURVATURES * step.before[0]
    step.step()
    (row,) = norms.follow(step.moment())
    assert row.value == pytest.approx(float(g @ (CURVATURES * g) / (g @ g)), rel=1e-9)
    assert row.critical == pytest.approx(2 / 0.1, rel=1e-9)


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_that_are_gone_already_leave_the_update_norm(to_none):
    step = network(KNOWN["sgd"])
    step.optimizer.zero_grad(set_to_none=to_none)
    norms = Norms()
    assert [row.kind for row in norms.read(step.moment())] == ["update norm"]
    assert norms.follow(step.moment()) == []


def test_a_parameter_without_a_gradient_counts_as_zero():
    step = network(KNOWN["sgd"])
    bias = step.parameters["2.bias"]
    bias.grad = None
    rest = flat([p.grad for p in step.parameters.values() if p.grad is not None])
    assert Norms().read(step.moment())[1].value == pytest.approx(float(rest.norm()), rel=1e-12)


def test_in_float32_curvature_is_that_of_float64_to_rounding():
    double, single = (network(KNOWN["momentum"], dtype=dtype) for dtype in (torch.float64, torch.float32))
    (a,), (b,) = (GradientCurvature(seed=0).read(step.moment()) for step in (double, single))
    assert b.value == pytest.approx(a.value, rel=1e-4)


def test_dropout_is_the_same_at_every_look():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 3)).double()
    batch = digits_like(dtype=torch.float64)
    step = Step(model, optim.SGD(model.parameters(), lr=0.1), CRITERION, batch)
    readings = []
    for _ in range(3):
        torch.rand(7)  # the training draws numbers of its own
        readings.append(GradientCurvature(seed=0).read(step.moment())[0].value)
        assert step.live.value_at() == step.live.value_at()
    assert len(set(readings)) == 1
