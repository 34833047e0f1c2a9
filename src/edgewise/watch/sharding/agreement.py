"""What the processes that share a model tell each other, so that they read together or not at all.

A forward pass of a sharded model takes all processes. So each has to come to the same decisions: they gather
numbers, and each reckons with all of them, in the same order, to the same bit.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, final

import torch
from torch import distributed

from edgewise.foundation import SettingError

# A message is a number for its kind, and so many more.
_LENGTH = 5
_MIDST, _END = 0.0, 1.0


class ElsewhereError(SettingError):
    """What all processes do together has failed in another one."""

    def __init__(self) -> None:
        super().__init__(
            "what all processes read together",
            "it failed in another one of them",
            "See what that one says, and call the watch in every process at every step",
        )


@final
class Agreement:
    """Gathers numbers from all processes that share a model; a process of its own waits for nobody.

    Everything that they do together comes to an `end`, in each of them, whether it succeeded there or not. A
    process that is there early, because something failed, is found to be so by the others at the next number that
    they gather, and they come to the end as well. Only if it failed amid a forward pass the others are left
    waiting, as they are when that happens in the training, until the time-out of the process group.

    Args:
        groups: process groups that span all processes, one for each axis of a mesh; none for one process.
        device: where they gather.
    """

    def __init__(self, groups: Sequence[Any] = (), device: torch.device | str = "cpu") -> None:
        self._groups, self._device = tuple(groups), device

    @property
    def processes(self) -> int:
        """How many there are."""
        return prod(distributed.get_world_size(group) for group in self._groups)

    def mean(self, value: float, weight: float | int) -> float:
        """Σ weight · value / Σ weight over the processes."""
        if not self._groups:
            return value
        rows = self._told(value, float(weight))
        return sum(each * share for each, share in rows) / sum(share for _, share in rows)

    def total(self, value: float | int) -> float:
        """The sum over the processes."""
        return sum(row[0] for row in self._told(float(value)))

    def anywhere(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return any(row[0] for row in self._told(float(flag)))

    def end(self, *numbers: float) -> list[list[float]]:
        """At the end of what was done together, whether it succeeded or not: what each process says of it."""
        while True:
            rows = self._gathered(_END, numbers)
            if all(row[0] == _END for row in rows):
                return [row[1 : 1 + len(numbers)] for row in rows]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done inside is done by all processes, and fails in all if it fails in one.

        Raises:
            ElsewhereError: if it failed in another one.
        """
        try:
            yield
        except Exception:
            self.end(1.0)
            raise
        if any(failed for (failed,) in self.end(0.0)):
            raise ElsewhereError

    def _told(self, *numbers: float) -> list[list[float]]:
        rows = self._gathered(_MIDST, numbers)
        if any(row[0] == _END for row in rows):
            raise ElsewhereError
        return [row[1 : 1 + len(numbers)] for row in rows]

    def _gathered(self, kind: float, numbers: Sequence[float]) -> list[list[float]]:
        message = [kind, *numbers, *[0.0] * (_LENGTH - len(numbers))]
        if not self._groups:
            return [message]
        rows = torch.tensor([message], dtype=torch.float64, device=self._device)
        for group in self._groups:
            parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size(group))]
            distributed.all_gather(parts, rows, group=group)
            rows = torch.cat(parts)
        gathered: list[list[float]] = rows.tolist()
        return gathered
