"""A training that is over: where it stood at each of its checkpoints, and what to do with its step size."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from torch import Tensor, nn
from torch.optim import Optimizer

from edgewise.curvature import EffectiveHessian, Hessian
from edgewise.foundation import DataError, EdgewiseError, SettingError
from edgewise.linalg import Eigenpairs, eigenpairs
from edgewise.methods import CriticalLine, line_from_torch
from edgewise.watch.advice import Advice, advise, eigenvector_shares, momentum_of
from edgewise.watch.checkpoints import Checkpoint, checkpoint_files, read_checkpoint, restore
from edgewise.watch.instrument import Instrument, Moment
from edgewise.watch.instruments import CriticalSharpness, GradientCurvature, of_eigenpair
from edgewise.watch.live import LiveLoss
from edgewise.watch.losses import Losses
from edgewise.watch.preflight import inspect_training
from edgewise.watch.reading import Kind, Reading

_RTOL = 0.01


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointReadings:
    """What was read at a checkpoint.

    Attributes:
        path: the file.
        step: updates taken before it was written.
        loss: of the probe batch.
        lr: the step size of the first param group.
        readings: what curvature could be read.
        missing: why some could not; None where nothing is missing.
    """

    path: Path
    step: int
    loss: float
    lr: float
    readings: tuple[Reading, ...]
    missing: str | None = None

    def of(self, kind: str) -> Reading | None:
        """The reading of one kind, if there is one."""
        return next((reading for reading in self.readings if reading.kind == kind), None)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineAdvice:
    """Checkpoints in the order of their steps, with advice.

    Attributes:
        checkpoints: what was read at each.
        refused: the files that could not be used, and why.
        advice: where the last of them stands.
    """

    checkpoints: tuple[CheckpointReadings, ...]
    refused: tuple[EdgewiseError, ...]
    advice: Advice


def advise_offline(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    criterion: Callable[..., Tensor] | None,
    probe_batch: Any,
    *,
    batch_size: int | None = None,
    seed: int = 0,
    told: Callable[[int, int, CheckpointReadings], None] | None = None,
) -> OfflineAdvice:
    """The edge ratio at every checkpoint in a folder, and advice.

    At each the effective sharpness is read on the probe batch, and the critical sharpness along the update that
    would come next on it. Nothing in the files is executed. Model and optimiser are left at the last checkpoint,
    or where that update has led.

    Args:
        folder: with files of safetensors, or of PyTorch with weights only; their names or contents say the step.
        model: any that the weights fit, as it was trained.
        optimizer: as it was trained with; its state and step sizes come from the checkpoints that hold them.
        criterion: as of `Watch`.
        probe_batch: as of `Watch`.
        batch_size: samples that an update averaged over; with it their noise is read, which lowers the edge.
        seed: of eigenvectors and batches.
        told: hears (number, of how many, readings) after each checkpoint.

    Raises:
        DataError: if no checkpoint is in the folder, or none can be used.
        SettingError: if model, optimiser, criterion and probe batch do not fit.

    References:
        cohen2021gradient, cohen2022adaptive, critical2026sharpness
    """
    optimizer, parameters = inspect_training(model, optimizer, batch_size)
    live = LiveLoss(model, criterion, probe_batch, parameters, seed=seed)
    fresh = copy.deepcopy(optimizer.state_dict())
    found, refused = _in_order(folder)
    rows: list[CheckpointReadings] = []
    top: Mapping[str, float] | None = None
    for number, files in enumerate(found, 1):
        try:
            checkpoint = read_checkpoint(files)
            restore(checkpoint, live.model, optimizer, fresh)
        except DataError as error:
            refused.append(error)
            continue
        row, shares = _read(checkpoint, live, optimizer, list(parameters.values()), batch_size, seed)
        top = shares or top
        rows.append(row)
        if told is not None:
            told(number, len(found), row)
    if not rows:
        raise DataError(
            f"the folder {folder}",
            f"none of its checkpoints can be used; of the first: {refused[0]}".rstrip("."),
            "Give a folder whose checkpoints hold the weights of this model",
        )
    losses = Losses()
    for row in rows:
        losses.add(row.step, row.loss)
    return OfflineAdvice(
        checkpoints=tuple(rows),
        refused=tuple(refused),
        advice=advise(
            [reading for row in rows for reading in row.readings],
            losses,
            [],
            rows[-1].lr,
            small_batches=batch_size is not None and batch_size < live.samples,
            momentum=momentum_of(optimizer),
            shares=top,
            every_step=False,
        ),
    )


def _in_order(folder: Path) -> tuple[list[tuple[Path, ...]], list[EdgewiseError]]:
    """Checkpoints by their steps, and those that cannot be read or are there twice."""
    places: dict[int, tuple[Path, ...]] = {}
    refused: list[EdgewiseError] = []
    # Where the same is stored in both formats, safetensors is taken.
    for files in sorted(checkpoint_files(folder), key=lambda files: files[0].suffix != ".safetensors"):
        try:
            step = read_checkpoint(files).step
        except DataError as error:
            refused.append(error)
            continue
        if step not in places:
            places[step] = files
        elif files[0].parent != places[step][0].parent or files[0].suffix == places[step][0].suffix:
            refused.append(
                DataError(
                    f"the file {files[0]}",
                    f"{places[step][0].name} is of step {step} too",
                    "Name files by their steps, and keep one of each",
                )
            )
    return [places[step] for step in sorted(places)], refused


def _read(
    checkpoint: Checkpoint,
    live: LiveLoss,
    optimizer: Optimizer,
    tensors: list[Tensor],
    batch_size: int | None,
    seed: int,
) -> tuple[CheckpointReadings, Mapping[str, float] | None]:
    """What can be read with model and optimiser at the checkpoint, and where the top eigenvector lies."""
    lr = float(optimizer.param_groups[0]["lr"])
    loss = live.value_at()
    readings: list[Reading] = []
    missing: list[str] = []
    shares: Mapping[str, float] | None = None

    def moment(before: list[Tensor] | None = None) -> Moment:
        return Moment(
            step=checkpoint.step, live=live, before=before, gradients=[p.grad for p in tensors], lr=lr, batch=None,
            batch_size=batch_size, line=lambda: line_from_torch(optimizer, tensors),
        )  # fmt: skip

    def add(kind: Kind, instrument: Instrument, at: Moment) -> None:
        try:
            readings.extend(instrument.read(at))
        except FloatingPointError as error:
            missing.append(f"No {kind}: {error}.")

    stored, clock = bool(optimizer.state), time.perf_counter()
    if not math.isfinite(loss):
        missing.append("The loss is not finite.")
    else:
        try:
            line = line_from_torch(optimizer, tensors)
        except SettingError as error:
            missing.append(f"No effective sharpness of {error.given}: {error.why}.")
        else:
            pairs = _top(live, line, seed)
            own, shares = moment(), eigenvector_shares(pairs.vectors[:, 0], live.part(line.kept))
            readings += of_eigenpair(pairs, 0.0, line, own, seed, clock)
            if own.batches(seed):
                add("batch sharpness", GradientCurvature(seed), own)
        before = _update(live, optimizer, tensors)
        # The first update of an optimiser that goes by its past is not the one that came.
        if stored or not optimizer.state:
            add("critical sharpness", CriticalSharpness(), moment(before))
        else:
            missing.append("No critical sharpness, since the optimiser's state was not stored.")
    row = CheckpointReadings(
        path=checkpoint.path, step=checkpoint.step, loss=loss, lr=lr, readings=tuple(readings),
        missing=" ".join(missing) or None,
    )  # fmt: skip
    return row, shares


def _update(live: LiveLoss, optimizer: Optimizer, tensors: list[Tensor]) -> list[Tensor]:
    """Take a step on the probe batch; the weights before it."""
    before = live.snapshot()
    with live.point() as point:
        gradient = live.space.unflatten(point.gradient)
    for parameter, name in zip(tensors, live.space.names, strict=True):
        parameter.grad = gradient[name].clone()
    optimizer.step()
    return before


def _top(live: LiveLoss, line: CriticalLine, seed: int) -> Eigenpairs:
    with live.point(kept=line.kept) as point:
        return eigenpairs(
            EffectiveHessian(line.seen(Hessian.at(point)), line.preconditioner), k=1, rtol=_RTOL, seed=seed
        )
