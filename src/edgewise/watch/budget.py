"""What a watch may cost: its own seconds against those of the training, and whose turn it is."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import final

from edgewise.foundation import SettingError

# A pause between two steps that is so many times the usual one is no training: a validation, a coffee.
_PAUSE = 10.0
_MEMORY = 0.05
# What something small usually takes is the median of so many times: a slow one is the machine's, the first one
# most of all.
_USUAL = 5
# Nothing is known before the first reading, so that one may go over the budget: by a third, which is how well a
# budget is kept at all.
_CREDIT = 4 / 3


@final
class Budget:
    """Seconds spent on watching, kept below a share of the seconds spent on training.

    The watch calls `begin` when it is asked and `end` when it answers; the time in between is its own, the rest is
    training. Each instrument has a weight; next is the one that would be first to have had its due with one more
    reading (weighted fair queueing), and it waits until that is affordable. The first one of all may bring the
    watch to 4/3 of its share, and none that costs what it was thought to brings it any further. So a run that is
    shorter than 3/4 of the cost of a reading ÷ the share is not read at all.

    Args:
        share: own seconds per second of training.
        clock: in seconds.

    Attributes:
        training: seconds spent on training.
        own: seconds spent on watching.
        wake: seconds of training before which nothing can be affordable.
        charged: seconds spent on what is done on purpose, by its name; the other own ones go by at every step.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.share = share
        self.training = 0.0
        self.own = 0.0
        self.wake = 0.0
        self.charged: dict[str, float] = {}
        self.clock = clock
        self._ended: float | None = None
        self._began: float | None = None
        self._usual: float | None = None
        self._cost: dict[str, float] = {}

    def begin(self, steps: int = 1) -> None:
        """The training has handed over.

        Args:
            steps: how many of its steps have passed since `end`.
        """
        now = self._began = self.clock()
        if self._ended is None:
            return
        passed, usual = now - self._ended, self._usual
        if usual is None:
            self._usual = passed / steps
        else:
            # No call of a function that is not needed: this is done at every step, out of cold caches.
            most = (steps - 1 + _PAUSE) * usual
            if passed > most:
                passed = most
            self._usual = usual + _MEMORY * (passed / steps - usual)
        self.training += passed

    def end(self) -> None:
        """The training goes on."""
        now = self._ended = self.clock()
        if self._began is not None:
            self.own += now - self._began
        self._began = None

    def waited(self) -> None:
        """The device has only now finished the training that was queued: so far the time was the training's."""
        now = self.clock()
        self.training += now - self._began if self._began is not None else 0.0
        self._began = now

    @property
    def asleep(self) -> bool:
        """Whether nothing can be affordable yet."""
        return self.training < self.wake

    def expect(self, name: str, seconds: float) -> None:
        """What an instrument is thought to cost the next time."""
        self._cost[name] = seconds

    def charge(self, name: str, seconds: float) -> None:
        """What an instrument cost this time."""
        self.charged[name] = self.charged.get(name, 0.0) + seconds

    def next(self, wanted: Mapping[str, float]) -> str | None:
        """The instrument whose turn it is, if it is affordable now.

        Args:
            wanted: the weight of each.
        """
        if not wanted:
            self.wake = math.inf
            return None

        def done(name: str) -> float:
            return (self.charged.get(name, 0.0) + self._cost.get(name, 0.0)) / wanted[name]

        name = min(wanted, key=done)
        share = self.share if self.charged.keys() & wanted.keys() else _CREDIT * self.share
        self.wake = (self._used(self.clock()) + self._cost.get(name, 0.0)) / share
        return None if self.asleep else name

    @property
    def usual(self) -> float | None:
        """The seconds that a training step usually takes."""
        return self._usual

    def affords(self, name: str, part: float | int = 1.0) -> bool:
        """Whether an instrument could be used now without going over.

        Args:
            name: of the instrument.
            part: the share of the budget that it may take.
        """
        allowed, cost = self.share * self.training, self._cost.get(name, 0.0)
        return self.charged.get(name, 0.0) + cost <= part * allowed and self._used(self.clock()) + cost <= allowed

    def _used(self, now: float) -> float:
        """Own seconds, those of the call that is going on included."""
        return self.own + (now - self._began if self._began is not None else 0.0)

    @property
    def idle(self) -> float:
        """Seconds that were spent on nothing in particular: on looking whether there is something to do."""
        return self._used(self.clock()) - math.fsum(self.charged.values())

    @property
    def kept(self) -> float:
        """The share of the training time that watching took so far."""
        return self.own / self.training if self.training > 0 else 0.0


@final
class Cadence:
    """Something small that is done as often as a part of the budget allows, at every step if it can.

    Args:
        budget: of the watch.
        part: the share of it that this may take.

    Attributes:
        interval: once in so many steps.
        next: the step at which it is to be done.
    """

    def __init__(self, budget: Budget, part: float) -> None:
        self._budget, self._part = budget, part
        self.interval, self.next = 1, 0
        self._seconds: deque[float] = deque(maxlen=_USUAL)

    def due(self, step: int) -> bool:
        """Whether it is to be done at this step."""
        return step >= self.next

    def took(self, step: int, seconds: float) -> None:
        """Say that it was done at this step, and what it took."""
        self._seconds.append(seconds)
        seconds, usual = sorted(self._seconds)[len(self._seconds) // 2], self._budget.usual
        self.interval = max(1, math.ceil(seconds / (self._part * self._budget.share * usual))) if usual else 1
        self.next = step + self.interval


def share_of(budget: object) -> float:
    """A budget as a number: 0.03, or `"3%"`.

    Raises:
        SettingError: if it is neither, or not above zero and at most one.
    """
    share: float | None = None
    if isinstance(budget, int | float) and not isinstance(budget, bool):
        share = float(budget)
    elif isinstance(budget, str) and budget.strip().endswith("%"):
        try:
            share = float(budget.strip()[:-1]) / 100.0
        except ValueError:
            share = None
    if share is None or not 0.0 < share <= 1.0:
        raise SettingError(
            f"budget={budget!r}",
            "it is the share of the training time that watching may cost, above 0 and at most 1",
            "Type budget=0.03, or budget='3%'",
        )
    return share
