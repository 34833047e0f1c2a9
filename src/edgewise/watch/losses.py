"""The losses that a training reported: all of the recent ones, fewer of those long ago."""

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

_MOST = 8192
# Medians of so many losses hardly scatter; of noisy ones they differ by less than this.
_FEW, _RISEN = 5, 1.1
# A run that blows up has lost more than it had gained.
_BLOWN = 2.0


@final
class Losses:
    """A history of bounded size: whenever it is full, every second row of its older half is let go.

    Attributes:
        not_finite: the step from which on no loss was finite; None if the last one is.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._steps: list[int] = []
        self._losses: list[float] = []
        self.not_finite: int | None = None

    def add(self, step: int, loss: float) -> None:
        """One more."""
        if not math.isfinite(loss):
            if self.not_finite is None:
                self.not_finite = step
            return
        self.not_finite = None  # what overflowed has come back
        self._steps.append(step)
        self._losses.append(loss)
        if len(self._steps) > self._most:
            half = self._most // 2
            self._steps[:half] = self._steps[:half:2]
            self._losses[:half] = self._losses[:half:2]

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def last(self) -> float:
        """The latest one that is finite."""
        return self._losses[-1]

    def highest(self, count: int) -> float:
        """The highest of the last ones; minus infinity if there is none."""
        return max(self._losses[-count:], default=-math.inf)

    @property
    def step(self) -> NDArray[np.int64]:
        """The update before which each loss was taken."""
        return np.array(self._steps, np.int64)

    @property
    def loss(self) -> NDArray[np.float64]:
        """The losses, all finite."""
        return np.array(self._losses, np.float64)

    @property
    def rising(self) -> bool:
        """Whether the loss goes up of late.

        Noise alone makes updates overshoot on other samples than their own: where it has brought the loss to rest,
        they raise it as often as they lower it, far below the edge.
        """
        tenth = max(len(self) // 10, _FEW)
        if len(self) < 2 * tenth:
            return False
        loss = self.loss
        return float(np.median(loss[-tenth:])) > _RISEN * float(np.median(loss[-2 * tenth : -tenth]))

    @property
    def blown_up(self) -> bool:
        """Whether the loss is now well above where the run began."""
        if len(self) < 2 * _FEW:
            return False
        # A step size that is far too large spoils the second loss already.
        start, now = min(self._losses[:_FEW]), float(np.median(self._losses[-_FEW:]))
        return now > _BLOWN * max(start, 0.0)
