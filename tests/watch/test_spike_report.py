"""Spikes made on purpose in real training, of each cause, and the report that is made of them."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgewise.watch.live import LiveLoss
from edgewise.watch.spikes import Detector, Recorder, SpikeReport, investigate

Batch = tuple[Tensor, Tensor]
Change = Callable[["Training", int], None]


@dataclass
class Training:
    """A small training loop with a detector, a recorder and an investigation in it, as the watch has them."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Callable[[int], Batch]
    probe: Batch
    criterion: Callable[..., Tensor] = field(default_factory=nn.MSELoss)
    hand_over: bool = True
    affordable: bool = True
    watched: bool = True
    reports: list[SpikeReport] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    gradient_scale: float = 1.0

    def run(self, steps: int, change: Change | None = None) -> "Training":
        parameters = dict(self.model.named_parameters())
        live = LiveLoss(self.model, self.criterion, self.probe, parameters)
        recorder, detector = Recorder(parameters.values()), Detector()
        for step in range(steps):
            if change is not None:
                change(self, step)
            batch = self.batches(step)
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(batch[0]), batch[1])
            loss.backward()
            for parameter in parameters.values():
                assert parameter.grad is not None
                parameter.grad *= self.gradient_scale
            norm = nn.utils.get_total_norm([p.grad for p in parameters.values() if p.grad is not None])
            before = [p.detach().clone() for p in parameters.values()]
            self.optimizer.step()
            self.losses.append(loss.item())
            if self.watched:
                self._watch(step, batch, norm, before, live, recorder, detector)
        return self

    def _watch(
        self, step: int, batch: Batch, norm: Tensor, before: list[Tensor], live: LiveLoss, recorder: Recorder,
        detector: Detector,
    ) -> None:  # fmt: skip
        moved = nn.utils.get_total_norm(
            [p.detach() - b for p, b in zip(self.model.parameters(), before, strict=True)]
        )
        lr = self.optimizer.param_groups[0]["lr"]
        given = batch if self.hand_over else None
        event = detector.see(step, self.losses[-1])
        if event == "begins":
            assert detector.spike is not None
            self.reports.append(
                investigate(recorder, live, self.optimizer, detector.spike, batch=given, gradient_norm=norm, lr=lr)
            )
        recorder.keep(step, self.losses[-1], lr, self.affordable, given, gradient_norm=norm, update_norm=moved)


def regression(samples: int, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, 8, generator=generator)
    weights = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    return inputs, torch.tanh(inputs @ weights) + 0.1 * torch.randn(samples, 3, generator=generator)


def training(make: Callable[..., torch.optim.Optimizer], lr: float, *, seed: int = 0, **more: Any) -> Training:
    model = network(seed)
    return Training(
        model, make(model.parameters(), lr=lr), lambda step: regression(64, 1000 * seed + step + 1),
        regression(256, 10**6), **more,
    )  # fmt: skip


def network(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 3))


def momentum(parameters: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


def step_size(factor: float, at: int = 50) -> Change:
    def change(training: Training, step: int) -> None:
        if step == at:
            training.optimizer.param_groups[0]["lr"] *= factor

    return change


def gradients(factor: float, at: int) -> Change:
    def change(training: Training, step: int) -> None:
        training.gradient_scale = factor if step >= at else 1.0

    return change


def corrupt(of: Training, how: Callable[[Tensor, Tensor], Batch], at: int = 50) -> Training:
    whole = of.batches
    of.batches = lambda step: how(*whole(step)) if step == at else whole(step)
    return of


def first(of: Training) -> SpikeReport:
    assert of.reports, f"no spike was seen; the highest loss was {max(of.losses)}"
    return of.reports[0]


@pytest.mark.parametrize("hand_over", [True, False])
@pytest.mark.parametrize(
    ("make", "lr", "factor"),
    [(torch.optim.SGD, 0.1, 20.0), (momentum, 0.02, 100.0), (torch.optim.Adam, 0.03, 30.0)],
)
def test_a_step_size_that_is_raised_too_far(
    make: Callable[..., torch.optim.Optimizer], lr: float, factor: float, hand_over: bool
) -> None:
    """Found within a few steps, and put down to curvature: the update went further than back to its old loss."""
    report = first(training(make, lr, hand_over=hand_over).run(70, step_size(factor)))
    assert report.cause == "curvature"
    assert 50 < report.step < 60
    numbers = report.evidence
    assert numbers.edge_ratio_probe is not None and numbers.edge_ratio_probe > 1
    assert numbers.lr_before == pytest.approx(lr) and numbers.lr_at == pytest.approx(factor * lr)
    assert any("the step size had been raised" in words for words in report.because)
    if not hand_over:
        assert any("it was not given to watch.step" in words for words in numbers.unmeasured)


def test_the_edge_ratio_along_the_update_is_that_of_the_loss() -> None:
    """1/s_c against a scan of the same line, and the size of the update against its own definition."""
    report = first(training(torch.optim.SGD, 0.1).run(70, step_size(20)))
    numbers = report.evidence
    assert numbers.edge_ratio_probe is not None and numbers.probe_old is not None
    steps, losses = np.array(report.profile).T
    risen = steps[(losses > numbers.probe_old) & (steps > 0)].min()
    fallen = steps[(losses < numbers.probe_old) & (steps < risen)].max()
    assert fallen * 0.95 <= 1 / numbers.edge_ratio_probe <= risen * 1.05
    assert numbers.probe_new == losses[list(steps).index(1.0)]
    assert numbers.gradient_norm_at is not None and numbers.update_norm_at is not None
    # Gradient descent: ‖Δ‖ = η ‖g‖, to single precision of a difference of weights.
    assert numbers.update_norm_at == pytest.approx(2.0 * numbers.gradient_norm_at, rel=1e-4)
    assert numbers.update_rms == pytest.approx(
        numbers.gradient_norm_at / math.sqrt(8 * 32 + 32 + 32 * 3 + 3), rel=1e-4
    )


@pytest.mark.parametrize("hand_over", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(lambda x, y: (50 * x, y), id="inputs times 50"),
        pytest.param(lambda x, y: (x, -y), id="targets negated"),
        pytest.param(lambda x, y: (x, y + 3 * y.roll(1, 0)), id="targets mixed up"),
    ],
)
@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adam])
def test_a_corrupt_batch(
    make: Callable[..., torch.optim.Optimizer], how: Callable[[Tensor, Tensor], Batch], hand_over: bool
) -> None:
    lr = 0.1 if make is torch.optim.SGD else 0.01
    report = first(corrupt(training(make, lr, hand_over=hand_over), how, at=120).run(125))
    assert (report.step, report.cause) == (120, "bad batch")
    if hand_over:
        # The loss of that batch, computed again at the weights it was seen at.
        assert report.evidence.batch_new == report.evidence.loss_at


@pytest.mark.parametrize("lr", [0.03, 0.1])
def test_gradients_that_outgrow_the_second_moments(lr: float) -> None:
    """All gradients times 100 after 200 steps: Adam's updates would not change if ν̂ could follow."""
    report = first(training(torch.optim.Adam, lr).run(210, gradients(100.0, at=200)))
    assert (report.step, report.cause) == (201, "stale second moments")
    numbers = report.evidence
    # ν̂ = 0.999 ν̂ + 0.001 · 10⁴ g² is at most about eleven times as large, g² is 10⁴ times: about 900 for one
    # parameter; less for noisy gradients, which scatter about their root mean square.
    assert numbers.staleness is not None and 100 < numbers.staleness < 1000
    assert numbers.beta2 == 0.999
    assert report.advice[0].startswith("Lower β2 from 0.999")


def test_gradients_that_second_moments_can_follow_make_no_spike() -> None:
    def responsive(parameters: Any, lr: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=lr, betas=(0.9, 0.9))

    assert not training(responsive, 0.03).run(260, gradients(100.0, at=200)).reports


def with_nan(x: Tensor, y: Tensor) -> Batch:
    x = x.clone()
    x[3, 2] = math.nan
    return x, y


def test_nan_in_a_batch() -> None:
    report = first(corrupt(training(torch.optim.SGD, 0.1), with_nan).run(60))
    assert (report.step, report.cause) == (50, "non-finite values")
    assert report.evidence.non_finite[0] == "the batch"
    assert report.evidence.overflow is None


def test_nan_in_a_batch_that_was_not_handed_over() -> None:
    """The weights were finite and the probe batch is fine: it came with the batch."""
    report = first(corrupt(training(torch.optim.SGD, 0.1, hand_over=False), with_nan).run(60))
    assert (report.step, report.cause) == (50, "non-finite values")
    assert any("it came with the batch" in words for words in report.because)
    assert report.advice[0].startswith("Look at the batch of step 50 and leave it out")
    assert report.evidence.non_finite[0] == "the gradient of 0.weight"


class Amplifier(nn.Module):
    gain = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x


def half(change: Change) -> Training:
    def batch(samples: int, seed: int) -> Batch:
        x, y = regression(samples, seed)
        return x.half(), y.half()

    model = nn.Sequential(*network(0).children(), Amplifier()).half()
    made = Training(
        model, torch.optim.SGD(model.parameters(), lr=0.05), lambda step: batch(64, step + 1), batch(256, 10**6)
    )
    return made.run(60, change)


def test_weights_that_overflow_in_half_precision() -> None:
    """Gradients times 10⁸ are infinite in float16; the step leaves no weight finite, the next loss is nan."""

    def change(training: Training, step: int) -> None:
        training.gradient_scale = 1e8 if step == 50 else 1.0

    report = first(half(change))
    assert (report.step, report.cause) == (51, "non-finite values")
    assert report.evidence.non_finite[0] == "0.weight"
    assert report.evidence.overflow == "float16"
    assert "Float16 was exceeded: it ends at 65504." in str(report)


def test_an_activation_that_overflows_in_half_precision() -> None:
    """The weights are finite, and the layer whose output is not is named."""

    def change(training: Training, step: int) -> None:
        if step == 50:
            training.model[3].gain = 1e5  # type: ignore[index]

    report = first(half(change))
    assert report.cause == "non-finite values"
    assert report.evidence.non_finite[0] == "the output of 3 (Amplifier)"
    assert report.evidence.overflow == "float16"


def test_a_criterion_that_overflows_in_half_precision() -> None:
    """Squares of what is finite: the weights and all layers' outputs are."""
    report = first(half(step_size(1e6)))
    assert (report.step, report.cause) == (51, "non-finite values")
    assert report.evidence.non_finite[0] == "the criterion, of finite outputs"
    assert report.evidence.overflow == "float16"
    assert any("the step size had been raised from 0.05" in words for words in report.because)


def test_a_step_that_was_not_taken() -> None:
    """As a loss scaler does with gradients that are not finite."""
    calm = training(torch.optim.SGD, 0.1)
    live = LiveLoss(calm.model, calm.criterion, calm.probe, dict(calm.model.named_parameters()))
    recorder, detector = Recorder(calm.model.parameters()), Detector()
    recorder.keep(0, 1.0, 0.1, True)
    for parameter in calm.model.parameters():
        parameter.grad = torch.full_like(parameter, math.inf)
    detector.see(1, math.inf)
    assert detector.spike is not None
    report = investigate(recorder, live, calm.optimizer, detector.spike)
    assert report.evidence.skipped is True
    assert report.advice[-1] == "The weights were not touched: training may go on"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("make", "lr"),
    [(torch.optim.SGD, 0.1), (momentum, 0.02), (torch.optim.Adam, 0.003), (torch.optim.AdamW, 0.01)],
)
def test_no_report_without_a_spike(make: Callable[..., torch.optim.Optimizer], lr: float, seed: int) -> None:
    """300 steps with noisy batches; of 48 000 such steps one was reported, at 0.5 of a step size that diverges."""
    assert training(make, lr, seed=seed).run(300).reports == []


def everything(of: Training) -> list[Tensor]:
    state = [each for kept in of.optimizer.state.values() for each in kept.values() if isinstance(each, Tensor)]
    gradients = [p.grad for p in of.model.parameters() if p.grad is not None]
    return [*of.model.state_dict().values(), *gradients, *state, torch.tensor(of.losses)]


class Noisy(nn.Module):
    """Dropout and batch normalisation: random numbers and buffers that a forward pass changes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.mark.parametrize("how", [lambda x, y: (x, 50 * y), with_nan], ids=["times 50", "nan"])
@pytest.mark.parametrize("make", [momentum, torch.optim.Adam])
def test_an_investigation_changes_nothing(
    make: Callable[..., torch.optim.Optimizer], how: Callable[[Tensor, Tensor], Batch]
) -> None:
    """Weights, gradients, buffers, the optimiser, random numbers and mode are bitwise what they are without it."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = Noisy()
        runs = []
        for watched in (True, False):
            own = copy.deepcopy(model)
            torch.manual_seed(6)
            run = Training(
                own, make(own.parameters(), lr=0.02), lambda step: regression(64, step + 1), regression(64, 10**6),
                watched=watched,
            )  # fmt: skip
            corrupt(run, how, at=60).run(70)
            runs.append((everything(run), torch.get_rng_state(), own.training, run))
    (mine, numbers, mode, run), (plain, numbers_plain, mode_plain, _) = runs
    assert run.reports and run.reports[0].evidence.probe_new is not None
    assert all(torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0)) for a, b in zip(mine, plain, strict=True))
    assert torch.equal(numbers, numbers_plain)
    assert mode and mode_plain
    assert not any(layer._forward_hooks for layer in run.model.modules())


def test_little_was_kept() -> None:
    """Nothing but the spike itself: the report says what is missing, and does not guess."""
    calm = training(torch.optim.Adam, 0.01)
    live = LiveLoss(calm.model, calm.criterion, calm.probe, dict(calm.model.named_parameters()))
    recorder, detector = Recorder(calm.model.parameters()), Detector()
    for step in range(60):
        detector.see(step, 9.0 if step == 59 else 1.0)
    assert detector.spike is not None
    report = investigate(recorder, live, calm.optimizer, detector.spike)
    assert report.cause == "unknown"
    assert report.evidence.unmeasured == (
        "the update before it: the weights before it were not kept",
        "the loss of the batch under the old weights: it was not given to watch.step",
    )
    assert report.history.step == (59,)


@pytest.mark.parametrize(("handed", "cause"), [(True, "curvature"), (False, "unknown")])
def test_weights_that_were_kept_now_and_then(handed: bool, cause: str) -> None:
    """Without those of the step itself the weights after it are taken: only its batch can tell who is to blame."""
    spiked = training(torch.optim.SGD, 2.0)
    live = LiveLoss(spiked.model, spiked.criterion, spiked.probe, dict(spiked.model.named_parameters()))
    recorder, detector = Recorder(spiked.model.parameters()), Detector()
    recorder.keep(56, 1.0, 2.0, True)
    recorder.keep(57, 1.0, 2.0, False)
    with torch.no_grad():
        for parameter in spiked.model.parameters():
            parameter *= 5.0
    for step in range(59):
        detector.see(step, 3.0 if step == 58 else 1.0)
    assert detector.spike is not None
    batch = regression(64, 3) if handed else None
    report = investigate(recorder, live, spiked.optimizer, detector.spike, batch=batch)
    assert (report.evidence.updates_between, report.evidence.after_spike) == (2, True)
    assert report.evidence.update_rms is None
    assert report.cause == cause
    assert handed or report.because[0].startswith("the weights of that step were not kept")


@pytest.mark.parametrize(("lr", "factor", "cause"), [(0.03, 30.0, "curvature"), (0.03, 1.0, "bad batch")])
def test_weights_that_were_never_kept(lr: float, factor: float, cause: str) -> None:
    """Adam's state takes both updates back: the same report as with copies, to single precision."""
    found = []
    for affordable in (True, False):
        spiked = training(torch.optim.Adam, lr, affordable=affordable)
        if factor == 1.0:
            corrupt(spiked, lambda x, y: (x, 30 * y), at=60)
        found.append(first(spiked.run(65, step_size(factor, at=60))))
    kept, rewound = (report.evidence for report in found)
    assert [report.cause for report in found] == [cause, cause]
    assert (kept.rewound, rewound.rewound) == (False, True)
    assert (rewound.updates_between, rewound.after_spike) == (1, False)
    assert rewound.probe_old == pytest.approx(kept.probe_old, rel=1e-4)
    assert rewound.probe_new == pytest.approx(kept.probe_new, rel=1e-4)
    assert rewound.batch_old == pytest.approx(kept.batch_old, rel=1e-4)
    assert rewound.edge_ratio_probe == pytest.approx(kept.edge_ratio_probe, rel=0.05)


def test_a_loss_that_is_looked_at_late() -> None:
    """As on an accelerator: two steps later the spike is replayed from what was kept for that."""
    spiked = training(torch.optim.Adam, 0.03)
    corrupt(spiked, lambda x, y: (x, 30 * y), at=60)
    live = LiveLoss(spiked.model, spiked.criterion, spiked.probe, dict(spiked.model.named_parameters()))
    recorder, detector = Recorder(spiked.model.parameters(), snapshots=4), Detector()
    losses: list[Tensor] = []
    norms: list[Tensor] = []
    for step in range(63):
        batch = spiked.batches(step)
        spiked.optimizer.zero_grad()
        loss = spiked.criterion(spiked.model(batch[0]), batch[1])
        loss.backward()
        norms.append(nn.utils.get_total_norm([p.grad for p in spiked.model.parameters() if p.grad is not None]))
        spiked.optimizer.step()
        losses.append(loss.detach())
        event = detector.see(step - 2, losses[step - 2].item()) if step >= 2 else None
        if event == "begins":
            break
        recorder.keep(step, losses[-1], 0.03, True, batch, gradient_norm=norms[-1])
    assert detector.spike is not None
    report = investigate(recorder, live, spiked.optimizer, detector.spike, gradient_norm=norms[-1])
    numbers = report.evidence
    assert (report.step, step, report.cause) == (60, 62, "bad batch")
    assert (numbers.updates_between, numbers.after_spike) == (1, False)
    assert numbers.batch_new == numbers.loss_at
    assert numbers.gradient_norm_spike == norms[60].item()
    assert numbers.gradient_norm_at == norms[59].item()
    # The bad gradient itself does not count: those before it were as usual.
    assert numbers.staleness is not None and numbers.staleness < 2
    assert report.history.step[-1] == 60


def test_a_model_that_cannot_be_called_any_more() -> None:
    """What fails is said with its reason, and the rest is measured."""
    spiked = training(torch.optim.SGD, 0.1, hand_over=False)
    live = LiveLoss(spiked.model, spiked.criterion, spiked.probe, dict(spiked.model.named_parameters()))
    recorder, detector = Recorder(spiked.model.parameters()), Detector()
    recorder.keep(57, 1.0, 0.1, True, gradient_norm=1.0)
    recorder.keep(58, 1.0, 0.1, True, gradient_norm=1.0)
    for step in range(60):
        detector.see(step, 9.0 if step == 59 else 1.0)
    assert detector.spike is not None

    def broken(outputs: Tensor, targets: Tensor) -> Tensor:
        raise RuntimeError("out of memory")

    live.criterion = broken
    report = investigate(recorder, live, spiked.optimizer, detector.spike)
    assert report.cause == "unknown"
    assert "the probe batch under the old weights: RuntimeError: out of memory" in report.evidence.unmeasured
    assert report.evidence.gradient_norm_at == 1.0


def test_an_overflow_under_autocast_that_a_loss_scaler_leaves_out() -> None:
    """A layer's output goes beyond float16, the gradients are not finite, and the scaler takes no step."""

    def autocast() -> torch.autocast:
        return torch.autocast("cpu", torch.float16)

    model = nn.Sequential(*network(0).children(), Amplifier())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    criterion, probe = nn.MSELoss(), regression(256, 10**6)
    live = LiveLoss(model, criterion, probe, dict(model.named_parameters()), autocast=autocast)
    recorder, detector = Recorder(model.parameters()), Detector()
    for step in range(60):
        inputs, targets = regression(64, step + 1)
        if step == 50:
            inputs = 1e5 * inputs
            model[3].gain = 1e4  # type: ignore[assignment]
        optimizer.zero_grad()
        with autocast():
            loss = criterion(model(inputs), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if detector.see(step, loss.item()) == "begins":
            break
        recorder.keep(step, loss.detach(), 0.01, True, (inputs, targets))
    assert detector.spike is not None
    report = investigate(recorder, live, optimizer, detector.spike, batch=(inputs, targets))
    assert (step, report.cause) == (50, "non-finite values")
    assert report.evidence.overflow == "float16"
    assert report.evidence.skipped is True
    assert report.advice[-1] == "The weights were not touched: training may go on"


class Masked(nn.Module):
    """A buffer and a batch with infinities that mean something."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Linear(8, 3)
        self.register_buffer("mask", torch.tensor([0.0, 0.0, -math.inf]))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.layers(x) + bias.clamp(min=-1.0) + self.mask.clamp(min=-1.0)


@pytest.mark.parametrize("broken", [False, True])
def test_masks_with_infinities_are_not_accused(broken: bool) -> None:
    """Only what was finite before can be the cause: neither the mask of the model nor that of every batch."""
    model, criterion, bias = Masked(), nn.MSELoss(), torch.tensor([-math.inf, 0.0, 0.0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inputs, targets = regression(64, 1)
    live = LiveLoss(model, criterion, ((inputs, bias), targets), dict(model.named_parameters()))
    recorder, detector = Recorder(model.parameters()), Detector()
    for step in range(60):
        if step == 59:
            targets = targets + (math.nan if broken else 30.0)
        optimizer.zero_grad()
        loss = criterion(model(inputs, bias), targets)
        loss.backward()
        optimizer.step()
        batch = ((inputs, bias), targets)
        if detector.see(step, loss.item()) == "begins":
            break
        recorder.keep(step, loss.detach(), 0.1, True, batch)
    assert detector.spike is not None and step == 59
    report = investigate(recorder, live, optimizer, detector.spike, batch=batch)
    assert report.cause == ("non-finite values" if broken else "bad batch")
    assert not any("mask" in name for name in report.evidence.non_finite)
