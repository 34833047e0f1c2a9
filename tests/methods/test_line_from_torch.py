import copy
import math

import pytest
import torch
from torch import nn

from edgewise.foundation import SettingError
from edgewise.linalg import Diagonal, Function, Identity
from edgewise.methods import CriticalLine, HeavyBall, ParameterGroups, from_torch, line_from_torch
from reference.bad_settings import as_a_user_types

optim = torch.optim
muon = pytest.mark.skipif(not hasattr(optim, "Muon"), reason="came with PyTorch 2.9")
SHAPES = ((3, 2), (4,))
SIZE = 10
LATE = 10_000_000  # steps behind it, so that a few hundred more change no bias correction
STILL = 1 - 1e-12  # an average that keeps all but that of itself stands still


def tensors(*shapes, scale=1.0):
    numbers = torch.Generator().manual_seed(1)
    return [
        (scale * torch.randn(shape, generator=numbers, dtype=torch.float64)).requires_grad_()
        for shape in shapes or SHAPES
    ]


def flat(parameters):
    return torch.cat([p.detach().reshape(-1) for p in parameters])


def hessian(size=SIZE):
    Q = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(2)).double())[0]
    return Q @ torch.diag(torch.linspace(0.3, 2.0, size, dtype=torch.float64)) @ Q.T


def set_gradients(parameters, gradient):
    for p, g in zip(parameters, gradient.split([p.numel() for p in parameters]), strict=True):
        p.grad = g.reshape(p.shape).clone()


def step(optimizer, parameters, gradient):
    set_gradients(parameters, gradient)
    optimizer.step()


def edge_ratio(optimizer, H, parameters=None):
    line = line_from_torch(optimizer, parameters)
    identity, root = torch.eye(len(H), dtype=torch.float64), line.preconditioner.power(-0.5)
    seen = line.seen(Function(lambda v: H @ v, len(H), H.dtype, H.device)) @ identity
    return float(torch.linalg.eigvalsh(root @ (root @ seen).T)[-1]) / line.critical_curvature


def set_edge_ratio(optimizer, H, target):
    # Where weight decay moves the line too, once is not enough.
    while abs(excess := edge_ratio(optimizer, H) - target) > 1e-9:
        for group in optimizer.param_groups:
            group["lr"] *= target / (target + excess)


def as_after_a_long_run(optimizer, parameters):
    """Steps behind it, second moments of many sizes and no momentum: what a checkpoint may hold."""
    step(optimizer, parameters, torch.ones(SIZE, dtype=torch.float64))
    squares = torch.linspace(0.3, 3.0, SIZE, dtype=torch.float64).square().split([p.numel() for p in parameters])
    for p, square in zip(parameters, squares, strict=True):
        group = next(g for g in optimizer.param_groups if any(p is q for q in g["params"]))
        beta2 = group["betas"][1] if "betas" in group else 0.0
        state = optimizer.state[p]
        if "step" in state:
            state["step"].fill_(LATE)
        for name in ("exp_avg", "momentum_buffer", "grad_avg", "mu_product"):
            if state.get(name) is not None:
                state[name].zero_()
        for name in ("exp_avg_sq", "square_avg", "sum", "max_exp_avg_sq"):
            if name in state:
                state[name].copy_(square.reshape(p.shape) * (1 - beta2**LATE))
        if "max_exp_avg_sq" in state:
            state["exp_avg_sq"].zero_()


def grows(optimizer, parameters, H):
    """Whether a small displacement has become a thousand times as large, before it is a thousandth of itself."""
    with torch.no_grad():
        for p, start in zip(parameters, tensors(*[p.shape for p in parameters], scale=1e-8), strict=True):
            p.copy_(start)
    start = float(flat(parameters).norm())
    for _ in range(4000):
        step(optimizer, parameters, H @ flat(parameters))
        size = float(flat(parameters).norm()) / start
        if size > 1e3 or size < 1e-3:
            return size > 1e3
    raise AssertionError(f"neither: {size}")


def two_groups(kind, decay, **settings):
    """A weight with decay, and a bias without at three times the step size."""
    return lambda p: kind(
        [{"params": p[:1], "weight_decay": decay}, {"params": p[1:], "lr": 0.03}], lr=0.01, **settings
    )


ADAM = {"lr": 0.01, "betas": (0.9, STILL)}
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.01),
    "sgd, decay": lambda p: optim.SGD(p, lr=0.01, weight_decay=0.5),
    "heavy ball": lambda p: optim.SGD(p, lr=0.01, momentum=0.8, dampening=0.3, weight_decay=0.5),
    "nesterov": lambda p: optim.SGD(p, lr=0.01, momentum=0.8, nesterov=True, weight_decay=0.5),
    "adam": lambda p: optim.Adam(p, **ADAM),
    "adam, decay": lambda p: optim.Adam(p, **ADAM, weight_decay=0.5),
    "adam, largest": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, **ADAM, weight_decay=0.02),
    "nadam": lambda p: optim.NAdam(p, **ADAM),
    "nadam, on its way": lambda p: optim.NAdam(p, **ADAM, momentum_decay=1e-6),
    "nadam, decay": lambda p: optim.NAdam(p, **ADAM, weight_decay=0.5),
    "nadam, decoupled": lambda p: optim.NAdam(p, **ADAM, weight_decay=0.05, decoupled_weight_decay=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, alpha=STILL),
    "rmsprop, decay": lambda p: optim.RMSprop(p, lr=0.01, alpha=STILL, weight_decay=0.5),
    "rmsprop, centered": lambda p: optim.RMSprop(p, lr=0.01, alpha=STILL, centered=True),
    "rmsprop, momentum": lambda p: optim.RMSprop(p, lr=0.01, alpha=STILL, momentum=0.8, weight_decay=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01),
    "adagrad, everything": lambda p: optim.Adagrad(
        p, lr=0.01, lr_decay=0.1, initial_accumulator_value=0.3, eps=0.1, weight_decay=0.5
    ),
    "groups of sgd": two_groups(optim.SGD, 0.5, momentum=0.8),
    "groups of adam": two_groups(optim.Adam, 0.5, betas=(0.9, STILL)),
    "groups of adamw": two_groups(optim.AdamW, 0.01, betas=(0.9, STILL)),
    "groups of nadam": two_groups(optim.NAdam, 0.5, betas=(0.9, STILL)),
    "groups of rmsprop": two_groups(optim.RMSprop, 0.5, alpha=STILL, momentum=0.5),
    "groups of adagrad": two_groups(optim.Adagrad, 0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("target", [0.99, 1.01])
def test_the_optimiser_diverges_just_above_the_line_and_not_just_below(name, target):
    parameters, H = tensors(), hessian()
    optimizer = OPTIMIZERS[name](parameters)
    as_after_a_long_run(optimizer, parameters)
    set_edge_ratio(optimizer, H, target)
    assert grows(optimizer, parameters, H) == (target > 1)
    # It was one line all the way.
    assert edge_ratio(optimizer, H) == pytest.approx(target, rel=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_in_mean_square_batches_that_agree_have_the_line_of_all(name):
    parameters = tensors()
    optimizer = OPTIMIZERS[name](parameters)
    as_after_a_long_run(optimizer, parameters)
    line = line_from_torch(optimizer)
    assert line.in_mean_square(1.0) == line.critical_curvature
    # Decay holds a mode that differs from batch to batch as well as one that does not.
    assert 0 < line.in_mean_square(0.3) <= line.critical_curvature * (1.01 if "decay" in name else 1 + 1e-9)


def test_in_mean_square_a_step_size_of_zero_has_no_line():
    parameters = tensors()
    assert line_from_torch(optim.SGD(parameters, lr=0.0, momentum=0.5)).in_mean_square(0.3) == math.inf


def test_in_mean_square_sgd_ends_at_its_total_step():
    # μ = 0.8, dampening 0.3: a gradient moves the weights by 0.7 η/(1 − 0.8) in all.
    line = line_from_torch(optim.SGD(tensors(), lr=0.01, momentum=0.8, dampening=0.3))
    assert line.in_mean_square(0.0) == pytest.approx(2 * 0.2 / 0.7 / 0.01, rel=1e-5)


def test_groups_of_sgd_have_a_metric_that_no_gradient_is_in():
    first, *others = tensors()
    groups = [{"params": [first]}, {"params": others, "lr": 0.3}]
    line = line_from_torch(optim.SGD(groups, lr=0.1, momentum=0.9))
    assert not isinstance(line.preconditioner, Identity)
    assert not line.adaptive


STEADY = {
    "adam": lambda p: optim.Adam(p, lr=0.01, betas=(0.5, 0.6)),
    "adam, largest": lambda p: optim.Adam(p, lr=0.01, betas=(0.5, 0.6), amsgrad=True),
    "nadam": lambda p: optim.NAdam(p, lr=0.01, betas=(0.5, 0.6), momentum_decay=10.0),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.01, lr_decay=0.1, initial_accumulator_value=1e8),
    "sgd": lambda p: optim.SGD(p, lr=0.01),
    "muon": lambda p: optim.Muon(p, lr=0.01, weight_decay=0.0),
}


@pytest.mark.parametrize("name", [name if name != "muon" else pytest.param(name, marks=muon) for name in STEADY])
def test_a_steady_gradient_is_divided_by_its_preconditioner(name):
    parameters = tensors((3, 2), (2, 4))
    optimizer, gradient = STEADY[name](parameters), flat(tensors((14,))) + 0.1
    for _ in range(200):
        step(optimizer, parameters, gradient)
    line, before = line_from_torch(optimizer), flat(parameters)
    step(optimizer, parameters, gradient)
    moved = (flat(parameters) - before) / -0.01
    # The iteration of Muon is rounded to eight bits.
    rtol = 0.03 if name == "muon" else 1e-5
    torch.testing.assert_close(line.preconditioner.power(-1.0) @ gradient, moved, rtol=rtol, atol=rtol)
    if name == "muon":
        method = from_torch(optimizer)
        assert (line.critical_curvature, line.formula) == (method.critical_curvature, method.critical_formula)


def test_the_preconditioner_is_that_of_the_state_entry_by_entry():
    # One tensor has joined later: both have the numbers of their own steps.
    parameters = tensors((2,), (1,))
    kinds = {
        "adam": optim.Adam(parameters, lr=0.1, betas=(0.8, 0.9), eps=1e-3),
        "amsgrad": optim.Adam(parameters, lr=0.1, betas=(0.8, 0.9), eps=1e-3, amsgrad=True),
        "nadam": optim.NAdam(parameters, lr=0.1, betas=(0.8, 0.9), eps=1e-3, momentum_decay=0.2),
        "rmsprop": optim.RMSprop(parameters, lr=0.1, alpha=0.9, eps=1e-3),
        "centered": optim.RMSprop(parameters, lr=0.1, alpha=0.9, eps=1e-3, centered=True),
        "adagrad": optim.Adagrad(parameters, lr=0.1, lr_decay=0.2, initial_accumulator_value=0.3, eps=1e-3),
    }
    for name, optimizer in kinds.items():
        seen = [[], []]
        for t in range(7):
            for p, own, start in zip(parameters, seen, (0, 4), strict=True):
                p.grad = torch.linspace(1.0, 2.0, p.numel()).double() * math.cos(3 * t) if t >= start else None
                own.extend([] if p.grad is None else [p.grad.tolist()])
            optimizer.step()
        expected, edges = [], []
        for own in seen:
            steps = len(own)
            for column in zip(*own, strict=True):
                m = ν = largest = mean = 0.0
                s = 0.3
                for g in column:
                    m, ν = 0.8 * m + 0.2 * g, 0.9 * ν + 0.1 * g * g
                    mean, largest, s = 0.9 * mean + 0.1 * g, max(largest, ν), s + g * g
                corrected = 1 - 0.9**steps
                μ = [0.8 * (1 - 0.5 * 0.96 ** (t * 0.2)) for t in range(1, steps + 3)]
                Π = math.prod(μ[: steps + 1])
                expected.append(
                    {
                        "adam": (1 - 0.8 ** (steps + 1)) * (math.sqrt(ν / corrected) + 1e-3),
                        "amsgrad": (1 - 0.8 ** (steps + 1)) * (math.sqrt(largest / corrected) + 1e-3),
                        "nadam": (1 - Π) * (math.sqrt(ν / corrected) + 1e-3),
                        "rmsprop": math.sqrt(ν) + 1e-3,
                        "centered": math.sqrt(ν - mean**2) + 1e-3,
                        "adagrad": (1 + 0.2 * steps) * (math.sqrt(s) + 1e-3),
                    }[name]
                )
                ahead = μ[steps + 1] * (1 - Π) / (1 - Π * μ[steps + 1])
                edge = {"adam": 18.0, "amsgrad": 18.0, "nadam": 3.6 / (1.8 * (1 - μ[steps]) + 0.2 * ahead)}
                edges.append(edge.get(name, 2.0) / 0.1)
        line = line_from_torch(optimizer)
        assert line.critical_curvature == pytest.approx(edges[0], rel=1e-6)
        metric = torch.tensor([p * edge / edges[0] for p, edge in zip(expected, edges, strict=True)])
        torch.testing.assert_close(
            line.preconditioner @ torch.ones(3).double(), metric.double(), rtol=1e-6, atol=0
        )


def test_momentum_of_rmsprop_is_heavy_ball_in_its_metric():
    parameters = tensors()
    optimizer = optim.RMSprop(parameters, lr=0.02, momentum=0.8)
    step(optimizer, parameters, torch.ones(SIZE).double())
    line = line_from_torch(optimizer)
    assert (line.critical_curvature, line.formula) == (HeavyBall(0.02, 0.8).critical_curvature, "(2+2β)/η")


def test_what_does_not_move_is_left_out():
    used, foreign, idle, frozen, still, last = tensors((2,), (3,), (4,), (2,), (1,), (2,))
    groups = [{"params": [used, idle, frozen, last]}, {"params": [still], "lr": 0.0}]
    for kind, settings in ((optim.AdamW, {}), (optim.SGD, {"momentum": 0.9}), (optim.Adagrad, {})):
        optimizer = kind(groups, lr=0.1, **settings)
        frozen.requires_grad_(False)
        for p in (used, last, still):
            p.grad = torch.ones_like(p)
        idle.grad = frozen.grad = None
        optimizer.step()
        line = line_from_torch(optimizer, [used, foreign, idle, frozen, still, last])
        assert line.kept == (0, 5)
        assert line.preconditioner.size == 4
        # In the order of the optimiser, of those that want a gradient: used, idle, last, still.
        assert line_from_torch(optimizer).kept == (0, 2)
        frozen.requires_grad_(True)


def test_sgd_needs_no_step_and_without_momentum_tells_nothing_of_them():
    parameters = tensors()
    for settings in ({}, {"momentum": 0.9}):
        line = line_from_torch(optim.SGD(parameters, lr=0.1, **settings))
        assert line.kept == (0, 1)
        assert isinstance(line.preconditioner, Identity)
        assert line.decay is None
    optimizer = optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "momentum": 0.9}], lr=0.1)
    assert line_from_torch(optimizer).kept == (0, 1)
    parameters[0].grad = torch.ones_like(parameters[0])
    optimizer.step()
    assert line_from_torch(optimizer).kept == (0, 1)
    alike = optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:]}], lr=0.1)
    assert isinstance(line_from_torch(alike).preconditioner, Identity)


def test_groups_make_one_line_as_parameter_groups_do():
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    parameters = list(module.parameters())
    optimizer = optim.SGD(
        [
            {"params": parameters[::2], "weight_decay": 0.5},
            {"params": parameters[1::2], "momentum": 0.9, "lr": 0.3},
        ],
        lr=0.1,
    )
    line, method = line_from_torch(optimizer, parameters), from_torch(optimizer, parameters)
    assert isinstance(method, ParameterGroups)
    w = flat(parameters)
    state = method.init(w)
    assert (line.critical_curvature, line.formula) == (method.critical_curvature, method.critical_formula)
    torch.testing.assert_close(line.preconditioner @ w, method.preconditioner(w, w, state) @ w)


@muon
def test_groups_of_muon_have_a_metric_each():
    parameters = tensors((3, 2), (2, 4))
    optimizer = optim.Muon([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.06}], lr=0.02)
    gradient = flat(tensors((14,)))
    for _ in range(3):
        step(optimizer, parameters, gradient)
    line, method = line_from_torch(optimizer), from_torch(optimizer)
    alone = [line_from_torch(optim_of(optimizer, group)) for group in (0, 1)]
    assert line.critical_curvature == method.critical_curvature == alone[0].critical_curvature
    v = flat(tensors((14,)))
    factor = alone[1].critical_curvature / alone[0].critical_curvature
    pieces = [alone[0].preconditioner @ v[:6], factor * (alone[1].preconditioner @ v[6:])]
    torch.testing.assert_close(line.preconditioner @ v, torch.cat(pieces))


def optim_of(optimizer, group):
    """One param group of an optimiser, and its state."""
    other = copy.copy(optimizer)
    other.param_groups = [optimizer.param_groups[group]]
    return other


def test_coupled_decay_is_seen_where_there_is_a_preconditioner():
    parameters = tensors()
    groups = [{"params": parameters[:1], "weight_decay": 0.5}, {"params": parameters[1:]}]
    optimizer = optim.Adam(groups, lr=0.1)
    step(optimizer, parameters, torch.ones(SIZE).double())
    line = line_from_torch(optimizer)
    H = Diagonal(torch.linspace(1, 2, SIZE, dtype=torch.float64))
    added = torch.tensor([0.5] * 6 + [0.0] * 4, dtype=torch.float64)
    torch.testing.assert_close(line.seen(H) @ torch.ones(SIZE).double(), H.entries + added)
    plain = optim.AdamW(parameters, lr=0.1)
    step(plain, parameters, torch.ones(SIZE).double())
    assert line_from_torch(plain).seen(H) is H


@pytest.mark.parametrize(
    "flag", [{"foreach": True}, {"fused": True}, {"lr": torch.tensor(0.1, dtype=torch.float64)}], ids=str
)
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad])
def test_it_is_the_same_however_the_step_is_computed(kind, flag):
    lines = []
    for settings in ({}, flag):
        parameters = tensors()
        optimizer = kind(parameters, **({"lr": 0.1} | settings))
        for t in range(5):
            step(optimizer, parameters, torch.linspace(-1, t, SIZE).double())
        lines.append(line_from_torch(optimizer))
    one, other = lines
    assert one.critical_curvature == other.critical_curvature
    torch.testing.assert_close(
        one.preconditioner @ torch.ones(SIZE).double(), other.preconditioner @ torch.ones(SIZE).double()
    )


def test_it_reads_and_touches_nothing():
    parameters = tensors()
    optimizer = optim.NAdam(parameters, lr=0.1, weight_decay=0.1)
    for t in range(3):
        step(optimizer, parameters, torch.linspace(-1, t, SIZE).double())
    kept = copy.deepcopy(optimizer.state_dict()["state"])
    line = line_from_torch(optimizer)
    entries = line.preconditioner.entries.clone()
    assert not line.preconditioner.entries.requires_grad
    for gradient in (None, torch.full((SIZE,), math.nan).double()):
        optimizer.zero_grad() if gradient is None else set_gradients(parameters, gradient)
        assert torch.equal(line_from_torch(optimizer).preconditioner.entries, entries)
    for place, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(state[name], kept[place][name]) for name in state)
    step(optimizer, parameters, torch.ones(SIZE).double())
    assert torch.equal(line.preconditioner.entries, entries)


def test_a_scheduler_moves_it_and_a_step_size_of_zero_has_no_edge():
    parameters = tensors()
    optimizer = optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.2}], lr=0.1)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 2)
    step(optimizer, parameters, torch.ones(SIZE).double())
    line = line_from_torch(optimizer)
    assert (line.critical_curvature, line.kept) == (math.inf, (0, 1))
    scheduler.step()
    assert line_from_torch(optimizer).critical_curvature == pytest.approx(38 / 0.05)
    step(optimizer, parameters, torch.ones(SIZE).double())
    scheduler.step()
    assert line_from_torch(optimizer).critical_curvature == pytest.approx(38 / 0.1)


def test_a_decay_that_diverges_by_itself_is_stable_at_no_curvature():
    parameters = tensors()
    assert line_from_torch(optim.SGD(parameters, lr=1.0, weight_decay=3.0)).critical_curvature == 0.0
    groups = [{"params": parameters[:1], "weight_decay": 3.0}, {"params": parameters[1:]}]
    with pytest.raises(SettingError, match=r"groups with the critical curvatures 0, 2: .*Lower its step size"):
        line_from_torch(optim.SGD(groups, lr=1.0))


def test_what_cannot_be_read_is_refused_in_a_sentence():
    parameters = tensors()
    sgd, frozen = optim.SGD(parameters, lr=0.1), [p.detach() for p in parameters]
    refused = [
        (lambda: line_from_torch(optim.Adam(parameters)), "type Adam that has taken no step: .*Ask again after"),
        (lambda: line_from_torch(optim.Adagrad(parameters)), "type Adagrad that has taken no step"),
        (lambda: line_from_torch(optim.LBFGS(parameters)), "type LBFGS: no method here does what it does"),
        (lambda: line_from_torch(optim.SGD(parameters, lr=0.1, maximize=True)), "maximize=True"),
        (lambda: line_from_torch(sgd, parameters[:1]), "1 parameters for an optimiser of 2: .*Give all trainable"),
        (lambda: line_from_torch(sgd, [*parameters, parameters[0]]), "3 parameters for an optimiser of 2"),
        (
            lambda: line_from_torch(optim.SGD(frozen, lr=0.1)),
            r"none of which wants a gradient: .*requires_grad_\(True\)",
        ),
        (lambda: line_from_torch(sgd, nn.Linear(2, 2)), "parameters of type Linear"),
    ]
    for ask, sentence in refused:
        with pytest.raises(SettingError, match=sentence), as_a_user_types():
            ask()
    assert isinstance(line_from_torch(sgd, iter(parameters)), CriticalLine)
