"""Training under a watch, and what becomes of it at the step sizes that the watch calls possible and impossible.

A model is trained; the watch says how large the step size could be. From that very state, with the same batches,
training goes on with a tenth of the present step size, with the present one, and with 0.7 and 2 times the advised
one.
"""

import copy
import math
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from edgewise.data import CIFAR10, CharacterText, Digits, LoadedData
from edgewise.foundation import generator
from edgewise.models import CNN, Transformer
from edgewise.watch import Budget, Phase, Watch

LOW, PRESENT, BELOW, ABOVE = "a tenth of it", "present", "0.7 × advised", "2 × advised"
BRANCHES = (LOW, PRESENT, BELOW, ABOVE)
PHASES: tuple[Phase, ...] = ("stable", "sharpening", "at the edge", "beyond the edge", "cannot tell")
_KEY = "critical2026sharpness"
# In forward passes: a step of training, for a reading in two or three of them; a point with its products.
_STEP, _PRODUCTS = 4.0, 10.0

Batch = tuple[Tensor, Tensor]
Criterion = Callable[[Tensor, Tensor], Tensor]


def transformer(
    path: str | None, context: int, layers: int, width: int, heads: int, lr: float, batch: int, probe: int,
    steps: int, further: int, seed: int,
) -> xr.Dataset:  # fmt: skip
    """A character-level transformer under AdamW.

    Args:
        path: of the text; None takes Tiny Shakespeare.
        context: characters per sample.
        layers: blocks.
        width: of the tokens' vectors.
        heads: of the attention.
        lr: the present step size.
        batch: samples of an update.
        probe: samples that the watch reads on.
        steps: of training before the advice.
        further: steps after it.
        seed: of the start and of the batches.
    """
    data = CharacterText(path=path, context=context).load()
    model = Transformer(layers=layers, width=width, heads=heads).build(data.input_shape, data.outputs, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=0.1)
    return _watched(model, optimizer, tokens, data, batch, probe, steps, further, seed)


def convolutional(
    images: str, channels: tuple[int, ...], lr: float, batch: int, probe: int, steps: int, further: int, seed: int
) -> xr.Dataset:
    """A convolutional network under SGD with momentum 0.9.

    Args:
        images: "digits" or "CIFAR-10".
        channels: of each block.
        lr: the present step size.
        batch: samples of an update.
        probe: samples that the watch reads on.
        steps: of training before the advice.
        further: steps after it.
        seed: of the start and of the batches.
    """
    data = (Digits() if images == "digits" else CIFAR10(n=5000)).load()
    model = CNN(channels=channels).build(data.input_shape, data.outputs, seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return _watched(model, optimizer, nn.functional.cross_entropy, data, batch, probe, steps, further, seed)


def tokens(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy of the next token, a mean over all of them."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def drawn(data: LoadedData, batch: int, probe: int, steps: int, seed: int) -> tuple[list[Batch], Batch]:
    """The batches of a training, and the one that the watch reads on.

    Args:
        data: from which samples are drawn, with replacement.
        batch: samples of an update.
        probe: samples that the watch reads on.
        steps: how many batches.
        seed: of all of them.
    """
    order = generator(seed, _KEY, "batches")
    chosen = [torch.randint(len(data), (batch,), generator=order) for _ in range(steps)]
    among = torch.randint(len(data), (probe,), generator=generator(seed, _KEY, "probe"))
    return [(data.inputs[i], data.targets[i]) for i in chosen], (data.inputs[among], data.targets[among])


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    batches: Sequence[Batch],
    told: Callable[[Tensor, Batch], None] | None = None,
) -> list[float]:
    """A training.

    Args:
        model: is trained.
        optimizer: of its parameters.
        criterion: the loss.
        batches: one for each step.
        told: hears of the loss and the batch after every step.

    Returns:
        The losses; from the first that is not finite on, infinity, and no step is taken any more.
    """
    losses: list[float] = []
    for inputs, targets in batches:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        if not math.isfinite(loss.item()):
            return losses + [math.inf] * (len(batches) - len(losses))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if told is not None:
            told(loss, (inputs, targets))
    return losses


def train_under_watch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    batches: Sequence[Batch],
    read_on: Batch,
    seed: int,
) -> tuple[Watch, list[float]]:
    """The same under a watch, whose clock counts forward passes.

    Args:
        model: is trained.
        optimizer: of its parameters.
        criterion: the loss.
        batches: one for each step, all of one size.
        read_on: the probe batch.
        seed: of the watch.
    """
    clock = _Clock(criterion, len(read_on[1]))
    watch = Watch(
        model, optimizer, clock.criterion, read_on, Budget(1.0, clock), batch_size=len(batches[0][1]), seed=seed
    )

    def told(loss: Tensor, batch: Batch) -> None:
        clock.step()
        watch.step(loss, batch)

    return watch, train(model, optimizer, criterion, batches, told)


def branched(
    model: nn.Module, optimizer: torch.optim.Optimizer, lr: float
) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A copy of a training as it stands, with another step size."""
    branch, its_optimizer = copy.deepcopy((model, optimizer))
    for group in its_optimizer.param_groups:
        group["lr"] = lr
    return branch, its_optimizer


def or_nan(number: float | None) -> float:
    """A number that may be missing, as one that says so."""
    return math.nan if number is None else number


def _watched(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    criterion: Criterion,
    data: LoadedData,
    batch: int,
    probe: int,
    steps: int,
    further: int,
    seed: int,
) -> xr.Dataset:
    """Train, ask, and go on with four step sizes."""
    batches, read_on = drawn(data, batch, probe, steps + further, seed)
    watch, before = train_under_watch(model, optimizer, criterion, batches[:steps], read_on, seed)
    lr = float(optimizer.param_groups[0]["lr"])
    advice = watch.advise()
    advised = or_nan(advice.max_lr)
    sizes = np.array([0.1 * lr, lr, 0.7 * advised, 2.0 * advised])
    after, phases, ratios = [], [], []
    for size in sizes:
        branch, its_optimizer = branched(model, optimizer, float(size))
        its_watch, losses = train_under_watch(branch, its_optimizer, criterion, batches[steps:], read_on, seed)
        verdict = its_watch.verdict()
        after.append(losses)
        phases.append(PHASES.index(verdict.phase))
        ratios.append(or_nan(verdict.edge_ratio))
    return xr.Dataset(
        {
            "loss_before": ("step", before),
            "loss": (("branch", "further"), after),
            "lr": ("branch", sizes),
            "phase": ("branch", phases),
            "edge_ratio": ("branch", ratios),
            "advised": advised,
            "low": or_nan(advice.low),
            "high": or_nan(advice.high),
        },
        coords={"step": np.arange(steps), "further": steps + np.arange(further), "branch": list(BRANCHES)},
    )


@final
class _Clock:
    """Counts forward passes instead of seconds, so that the watch reads at the same steps on every machine.

    Args:
        criterion: is called once a pass; with gradients, by what takes Hessian-vector products too.
        probe: samples of a pass with gradients that counts in full.
    """

    def __init__(self, criterion: Criterion, probe: int) -> None:
        self._criterion, self._probe = criterion, probe
        self._time = 0.0

    def step(self) -> None:
        """A step of training."""
        self._time += _STEP

    def criterion(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss, for the watch."""
        self._time += _PRODUCTS * len(targets) / self._probe if torch.is_grad_enabled() else 1.0
        return self._criterion(outputs, targets)

    def __call__(self) -> float:
        return self._time
