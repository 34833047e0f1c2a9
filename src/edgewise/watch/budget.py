"""What a watch may cost: its own seconds against those of the training, and whose turn it is."""

import math
import time
from collections.abc import Callable, Mapping
from typing import final

from edgewise.foundation import SettingError

# A pause between two steps that is so many times the usual one is no training: a validation, a coffee.
_PAUSE = 10.0
_MEMORY = 0.05
# Nothing is known before the first reading, so that is taken on credit: for up to this much of the time so far.
_CREDIT = 0.5


@final
class Budget:
    """Seconds spent on watching, kept below a share of the seconds spent on training.

    The watch calls `begin` when it is asked and `end` when it answers; the time in between is its own, the rest is
    training. Each instrument has a weight; next is the one that would be first to have had its due with one more
    reading (weighted fair queueing), and it waits until that is affordable.

    Args:
        share: own seconds per second of training.
        clock: in seconds.

    Attributes:
        training: seconds spent on training.
        own: seconds spent on watching.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self.share = share
        self.training = 0.0
        self.own = 0.0
        self.clock = clock
        self._ended: float | None = None
        self._began: float | None = None
        self._usual: float | None = None
        self._wake = 0.0
        self._spent: dict[str, float] = {}
        self._cost: dict[str, float] = {}

    def begin(self) -> None:
        """The training has handed over."""
        now = self._began = self.clock()
        if self._ended is None:
            return
        passed = now - self._ended
        if self._usual is not None:
            passed = min(passed, _PAUSE * self._usual)
        self._usual = passed if self._usual is None else self._usual + _MEMORY * (passed - self._usual)
        self.training += passed

    def end(self) -> None:
        """The training goes on."""
        self._ended = self.clock()
        self.own = self._used(self._ended)
        self._began = None

    def waited(self) -> None:
        """The device has only now finished the training that was queued: so far the time was the training's."""
        now = self.clock()
        self.training += now - self._began if self._began is not None else 0.0
        self._began = now

    @property
    def asleep(self) -> bool:
        """Whether nothing can be affordable yet; asked at every step, so answered at once."""
        return self.training < self._wake

    def expect(self, name: str, seconds: float) -> None:
        """What an instrument is thought to cost the next time."""
        self._cost[name] = seconds

    def charge(self, name: str, seconds: float) -> None:
        """What an instrument cost this time."""
        self._spent[name] = self._spent.get(name, 0.0) + seconds

    def next(self, wanted: Mapping[str, float]) -> str | None:
        """The instrument whose turn it is, if it is affordable now.

        Args:
            wanted: the weight of each.
        """
        if not wanted:
            return None

        def done(name: str) -> float:
            return (self._spent.get(name, 0.0) + self._cost.get(name, 0.0)) / wanted[name]

        name = min(wanted, key=done)
        cost = self._cost.get(name, 0.0)
        if self.affords(name):
            return name
        if not self._spent.keys() & wanted.keys():
            self._wake = cost / _CREDIT
            return name if self.training >= self._wake else None
        self._wake = (self._used(self.clock()) + cost) / self.share
        return None

    @property
    def usual(self) -> float | None:
        """The seconds that a training step usually takes."""
        return self._usual

    def affords(self, name: str) -> bool:
        """Whether an instrument could be used now without going over."""
        return self._used(self.clock()) + self._cost.get(name, 0.0) <= self.share * self.training

    def _used(self, now: float) -> float:
        """Own seconds, those of the call that is going on included."""
        return self.own + (now - self._began if self._began is not None else 0.0)

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
    """

    def __init__(self, budget: Budget, part: float) -> None:
        self._budget, self._part = budget, part
        self._next = 0
        self._seconds: float | None = None

    def due(self, step: int) -> bool:
        """Whether it is to be done at this step."""
        return step >= self._next

    def took(self, step: int, seconds: float) -> None:
        """Say that it was done at this step, and what it took."""
        # One slow time among many is the machine's.
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + 0.2 * (min(seconds, 2 * before) - before)
        usual = self._budget.usual
        self._next = step + (math.ceil(self._seconds / (self._part * self._budget.share * usual)) if usual else 1)


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
