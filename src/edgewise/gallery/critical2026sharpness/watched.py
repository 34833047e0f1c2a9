"""Training under a watch, and what becomes of it at the step sizes that the watch calls possible and impossible.

A model is trained; the watch says how large the step size could be. From that very state, with the same batches,
training goes on with a tenth of the present step size, with the present one, and with 0.7 and 2 times the advised
one.
"""

import copy
import math
from collections.abc import Callable
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
    """Train, ask, and go on three times."""
    order = generator(seed, _KEY, "batches")
    chosen = [torch.randint(len(data), (batch,), generator=order) for _ in range(steps + further)]
    batches = [(data.inputs[i], data.targets[i]) for i in chosen]
    among = torch.randint(len(data), (probe,), generator=generator(seed, _KEY, "probe"))
    read_on = data.inputs[among], data.targets[among]

    def train(
        model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch]
    ) -> tuple[Watch, list[float]]:
        clock = _Clock(criterion, probe)
        watch = Watch(model, optimizer, clock.criterion, read_on, Budget(1.0, clock), batch_size=batch, seed=seed)
        losses: list[float] = []
        for inputs, targets in batches:
            clock.step()
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            if not math.isfinite(loss.item()):
                losses += [math.inf] * (len(batches) - len(losses))
                break
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            watch.step(loss, (inputs, targets))
        return watch, losses

    watch, before = train(model, optimizer, batches[:steps])
    lr = float(optimizer.param_groups[0]["lr"])
    advice = watch.advise()
    advised = math.nan if advice.max_lr is None else advice.max_lr
    sizes = np.array([0.1 * lr, lr, 0.7 * advised, 2.0 * advised])
    after, phases, ratios = [], [], []
    for size in sizes:
        branch, its_optimizer = copy.deepcopy((model, optimizer))
        for group in its_optimizer.param_groups:
            group["lr"] = float(size)
        its_watch, losses = train(branch, its_optimizer, batches[steps:])
        verdict = its_watch.verdict()
        after.append(losses)
        phases.append(PHASES.index(verdict.phase))
        ratios.append(math.nan if verdict.edge_ratio is None else verdict.edge_ratio)
    return xr.Dataset(
        {
            "loss_before": ("step", before),
            "loss": (("branch", "further"), after),
            "lr": ("branch", sizes),
            "phase": ("branch", phases),
            "edge_ratio": ("branch", ratios),
            "advised": advised,
            "low": math.nan if advice.low is None else advice.low,
            "high": math.nan if advice.high is None else advice.high,
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
