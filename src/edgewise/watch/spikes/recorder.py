"""What a watch keeps of the last steps, so that a spike can be replayed."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, final

import torch
from torch import Tensor

from edgewise.foundation import SettingError

Number = float | int | Tensor | None
"""A number that may still be on its device, so that keeping it waits for nothing."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptStep:
    """One step, as it was seen after it: the loss of w_t, and the update that led to w_{t+1}.

    Attributes:
        step: t.
        loss: of w_t on the batch of step t.
        lr: the step size of the update.
        gradient_norm: ‖g_t‖ as the optimiser was given it; None if not measured.
        update_norm: ‖w_{t+1} − w_t‖; None if not measured.
    """

    step: int
    loss: float | int | Tensor
    lr: float
    gradient_norm: Number = None
    update_norm: Number = None


@final
class Recorder:
    """The last steps: their numbers, and of the very last ones weights and batches.

    Args:
        parameters: what is trained.
        length: how many steps are remembered.
        snapshots: how many copies of the weights are kept, and batches; two replay an update, and one more for
            every step by which losses are looked at late.

    Raises:
        SettingError: if it could keep nothing to compare with.
    """

    def __init__(self, parameters: Iterable[Tensor], *, length: int = 64, snapshots: int = 2) -> None:
        if length < 1 or snapshots < 2:
            raise SettingError(
                f"length={length}, snapshots={snapshots}",
                "an update is seen between two snapshots, and a spike against at least one step",
                "Type length=64, snapshots=2",
            )
        self._parameters = list(parameters)
        # As rows: to make a `KeptStep` takes five times as long, and most are never looked at.
        self._kept: deque[_Row] = deque(maxlen=length)
        # A batch may be large and on an accelerator: only those of the last updates are held.
        self._batches: deque[tuple[int, Any]] = deque(maxlen=snapshots)
        self._weights: deque[tuple[int, list[Tensor]]] = deque()
        self._snapshots = snapshots

    def keep(
        self,
        step: int,
        loss: float | int | Tensor,
        lr: float | int,
        weights_affordable: bool,
        batch: Any = None,
        *,
        gradient_norm: Number = None,
        update_norm: Number = None,
    ) -> None:
        """Keep a step, after the optimiser's.

        Args:
            step: t.
            loss: of w_t on the batch; a tensor is not waited for.
            lr: the step size that the update was made with.
            weights_affordable: whether the present weights, w_{t+1}, may be copied.
            batch: the batch; it is not copied.
            gradient_norm: of the gradient that the optimiser was given.
            update_norm: of the update.
        """
        self._kept.append((step, loss, float(lr), gradient_norm, update_norm))
        if batch is not None:
            self._batches.append((step, batch))
        if weights_affordable:
            self._snapshot(step + 1)

    @property
    def parameters(self) -> Sequence[Tensor]:
        """What is trained."""
        return tuple(self._parameters)

    @property
    def kept(self) -> Sequence[KeptStep]:
        """The steps, the oldest first."""
        return tuple(map(_kept, self._kept))

    def at(self, step: int) -> KeptStep | None:
        """One step."""
        return next((_kept(row) for row in reversed(self._kept) if row[0] == step), None)

    def batch(self, step: int) -> Any:
        """The batch of a step; None if it was not given or is too old."""
        return next((batch for at, batch in self._batches if at == step), None)

    def weights(self, step: int) -> list[Tensor] | None:
        """w_t, the weights that step t began with; None if they were not kept."""
        return next((tensors for at, tensors in self._weights if at == step), None)

    def weights_before(self, step: int) -> tuple[int, list[Tensor]] | None:
        """The youngest weights that are older than w_t, and the step that began with them."""
        older = [pair for pair in self._weights if pair[0] < step]
        return max(older, key=lambda pair: pair[0]) if older else None

    def usual(self, name: str, before: int) -> float | None:
        """The median of a number of the steps before one; None if it was never measured.

        Args:
            name: `lr`, `loss`, `gradient_norm` or `update_norm`.
            before: the first step that does not count.
        """
        values = [number_of(getattr(row, name)) for row in self.kept if row.step < before]
        known = [value for value in values if value is not None and math.isfinite(value)]
        return median(known) if known else None

    def _snapshot(self, step: int) -> None:
        """Copy the weights over the oldest copy."""
        full = len(self._weights) >= self._snapshots
        with torch.no_grad():
            memory = self._weights.popleft()[1] if full else [torch.empty_like(p) for p in self._parameters]
            torch._foreach_copy_(memory, self._parameters)
        self._weights.append((step, memory))


_Row = tuple[int, float | int | Tensor, float, Number, Number]


def _kept(row: _Row) -> KeptStep:
    step, loss, lr, gradient, update = row
    return KeptStep(step=step, loss=loss, lr=lr, gradient_norm=gradient, update_norm=update)


def number_of(value: Number) -> float | None:
    """A number, wherever it was."""
    return None if value is None else float(value)
