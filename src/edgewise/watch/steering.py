"""Steering: a scheduler of PyTorch that holds a training at a chosen edge ratio, or warms it up to there."""

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Protocol, final, runtime_checkable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from edgewise.foundation import SettingError
from edgewise.watch.deciding import DECISIVE, RANKS
from edgewise.watch.reading import Reading
from edgewise.watch.slope import per_unit, readable

# Curvature rises once the step size does: a reading says nothing of step sizes more than so many times as large.
_REACH = 2.0


@runtime_checkable
class Watched(Protocol):
    """What steering looks at: a watch."""

    @property
    def steps(self) -> int:
        """Optimiser steps seen."""

    @property
    def readings(self) -> Sequence[Reading]:
        """What was read, in order."""


@final
class EdgeScheduler(LRScheduler):
    """A step-size scheduler that holds the edge ratio at a chosen value.

        η' = min(max(target/c, shrink η), growth η),    c = r/η

    for the edge ratio r of the latest reading of the kind that decides, as in a verdict, taken at the step size η
    of the first param group; c is smoothed in its logarithm, and η' is at most twice the step size that it was
    read at (or `growth` times).
    The step sizes of all groups keep their proportions. Without a reading that is recent enough they are held.

    With `start` it is a warm-up as fast as stability allows: it begins at that share of the optimiser's step sizes
    and does not exceed them.

    Call `scheduler.step()` once per update, after `watch.step(loss)`. No other scheduler may move the same
    optimiser. To go on from a checkpoint, load the states of optimiser, watch and scheduler.

    Args:
        optimizer: whose step sizes to move.
        watch: a `Watch` over the same training.
        target: the edge ratio to hold, below 1.
        start: the share of the step sizes to begin a warm-up with; None begins with the step sizes as they are.
        growth: by what factor the step size rises in one step at most.
        shrink: by what factor it falls in one step at most.
        smoothing: the weight of what was read before, in [0, 1).
        patience: for how many steps a reading counts.
        min_lr: bound of the step size of the first param group.
        max_lr: likewise; None is no bound, and in a warm-up the step size of the optimiser.
        last_epoch: as of every scheduler of PyTorch; `load_state_dict` is the way to go on.

    Raises:
        SettingError: if an argument is outside its range.

    References:
        cohen2021gradient
    """

    def __init__(
        self,
        optimizer: Optimizer,
        watch: Watched,
        target: float | int = 0.8,
        *,
        start: float | None = None,
        growth: float | int = 1.1,
        shrink: float = 0.5,
        smoothing: float | int = 0.5,
        patience: int = 100,
        min_lr: float | int = 0.0,
        max_lr: float | int | None = None,
        last_epoch: int = -1,
    ) -> None:
        _check(watch, target, start, growth, shrink, smoothing, patience)
        full = _full(optimizer)
        ceiling = float(max_lr) if max_lr is not None else full if start is not None else math.inf
        if not 0 <= min_lr < ceiling:
            raise SettingError(
                f"min_lr={min_lr} and max_lr={ceiling:g}",
                "no step size lies between them",
                f"Type min_lr=0, or max_lr={2 * full:g}",
            )
        self._watch = watch
        self._target, self._growth, self._shrink = float(target), float(growth), float(shrink)
        self._smoothing, self._patience = float(smoothing), patience
        self._bounds = float(min_lr), ceiling
        self._scale = 1.0 if start is None else float(start)
        # By kind: the logarithm of c, smoothed, and the step and step size of the last reading.
        self._read: dict[str, tuple[float, int, float]] = {}
        self._begun = False
        super().__init__(optimizer, last_epoch)
        self._begun = True

    def get_lr(self) -> list[Any]:
        """The step sizes of the coming step, a group each."""
        if self._begun:
            self._look()
            self._move()
        return [float(base) * self._scale for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Numbers and words, without the optimiser and the watch."""
        state = super().state_dict()
        del state["_watch"]
        return {**state, "_read": dict(self._read)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on as the scheduler that `state_dict` was taken from; JSON may have been on the way."""
        rows = state_dict["_read"].items()
        read = {kind: (float(value), int(step), float(lr)) for kind, (value, step, lr) in rows}
        super().load_state_dict({**state_dict, "_read": read, "_bounds": tuple(state_dict["_bounds"])})

    def _look(self) -> None:
        """Take in what was read since."""
        # In order but for secant curvatures, which come one step late.
        newest = max((step for _, step, _ in self._read.values()), default=0)
        fresh = list(takewhile(lambda row: row.step >= newest - 1, reversed(self._watch.readings)))
        for row in reversed(fresh):
            before = self._read.get(row.kind)
            if row.kind not in DECISIVE or not readable(row) or (before is not None and row.step <= before[1]):
                continue
            read = math.log(per_unit(row))
            if before is not None:
                read += self._smoothing * (before[0] - read)
            self._read[row.kind] = (read, row.step, row.lr)

    def _move(self) -> None:
        """Towards the target, by the best kind that was read of late."""
        now = self._watch.steps
        recent = {kind: read for kind, read in self._read.items() if now - read[1] <= self._patience}
        # As in a verdict: of the best rank the one that is nearest to its edge.
        rank = next((rank for rank in RANKS if recent.keys() & set(rank)), ())
        if not rank:
            return
        base = float(self.base_lrs[0])
        read, _, at = max(recent[kind] for kind in rank if kind in recent)
        wanted = min(self._target / math.exp(read), max(_REACH, self._growth) * at)
        present = self._scale * base
        low, high = self._bounds
        limited = min(max(wanted, self._shrink * present), self._growth * present)
        self._scale = min(max(limited, low), high) / base


def _full(optimizer: object) -> float:
    """The step size of the first param group, which the others are in proportion to."""
    if not isinstance(optimizer, Optimizer):
        raise SettingError(
            f"an optimiser of type {type(optimizer).__name__}",
            "only one of torch.optim has step sizes to move",
            "Type EdgeScheduler(torch.optim.SGD(model.parameters(), lr=0.1), watch)",
        )
    group = optimizer.param_groups[0]
    full = float(group.get("initial_lr", group["lr"]))
    if not 0 < full < math.inf:
        raise SettingError(
            f"a first param group with lr={full:g}",
            "the step sizes of all groups are scaled in proportion to it",
            "Give it a positive one; for a warm-up from small step sizes type start=0.01",
        )
    return full


def _check(
    watch: object,
    target: float | int,
    start: float | None,
    growth: float | int,
    shrink: float,
    smoothing: float | int,
    patience: int,
) -> None:
    if not isinstance(watch, Watched):
        raise SettingError(
            f"a watch of type {type(watch).__name__}",
            "steering follows the readings of a watch",
            "Type EdgeScheduler(optimizer, ew.Watch(model, optimizer, criterion, probe_batch))",
        )
    ranges = (
        ("target", target, 0 < target < 1, "it is an edge ratio, and at 1 stability is lost", "target=0.8"),
        (
            "start",
            start,
            start is None or 0 < start < 1,
            "a warm-up begins with a share of the step size",
            "start=0.01",
        ),
        ("growth", growth, 1 < growth < math.inf, "the step size rises by it", "growth=1.1"),
        ("shrink", shrink, 0 < shrink < 1, "the step size falls by it", "shrink=0.5"),
        ("smoothing", smoothing, 0 <= smoothing < 1, "it is a weight in [0, 1)", "smoothing=0.5"),
        ("patience", patience, patience >= 1, "a reading counts for at least one step", "patience=100"),
    )
    for name, value, fits, why, fix in ranges:
        if not fits:
            raise SettingError(f"{name}={value}", why, f"Type {fix}")
