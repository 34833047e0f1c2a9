"""When a loss spike begins and when it is over, against what the run's own losses usually do.

A loss is compared with a robust level, the median of the last few, in units of a robust scale, the spread between
the quartiles of how far recent losses lay from their level. Both are of the run itself: noisy batches, a falling
loss, or one that alternates at the edge of stability widen the scale instead of raising an alarm. By how many
scales losses go astray without a spike is of the run as well, and remembered for longer: scatter changes as a
training goes on, the weight of its tails hardly does.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, final

Event = Literal["begins", "lasts", "over"]
"""What a loss is to the present spike."""

# Long enough that the median of them hardly scatters, short enough to follow a falling loss.
_LEVEL = 15
_FEWEST_LEVEL, _LAG = 5, (_LEVEL + 1) / 2
# Deviations that the scale is taken of; and how many it takes before the quartiles mean anything. The last ones
# are left out: a divergence that grows by a few per cent a step would raise its own threshold.
_MEMORY, _WARM, _DELAY = 128, 20, 15
# From the quartiles of a normal distribution to its standard deviation.
_NORMAL = 1.349
# Eight robust scales: normal noise does not get there in the life of a run.
_SCALES = 8.0
# Batches whose losses have heavy tails go far beyond eight scales now and then: a spike also has to be twice as
# many scales high as the highest of so many losses. Of losses with the tail index α a share 1/(n c^α) goes beyond
# c times the highest of n. Of 40 000 in one run with Student's t of 3 degrees of freedom in their logarithms 8 are
# taken for spikes then, of 5 degrees 1, and none with Laplace noise; were 128 remembered it would be 26, 3 and 1.
# In normal noise the highest is below four scales, and eight decide.
_BEYOND, _TAILS = 2.0, 1024
# No loss is steadier than this share of itself, however smooth: eight of them, 16 %, is the least that is a spike.
_STEADY = 0.02
# In logarithms, losses below this share of where the run has been are alike: single precision rounds them.
_ROUNDING = 1e-6
# A divergence that is too slow for its own level to be left behind: the level itself has climbed by so many
# thresholds within the memory. Medians hardly scatter, and a level that wanders freely does not get that far.
_CLIMB = 2.0
# A spike is over when the loss has kept below half its threshold for three steps: at the edge of stability a
# high and a low loss alternate. One that stays up as long as half the memory is a new level.
_CALM, _LONGEST = 3, _MEMORY // 2


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """A stretch of steps whose losses are far above what the run led to expect.

    Attributes:
        step: its first.
        loss: the loss there.
        level: the robust level before it; None if there were too few losses.
        scales: by how many robust scales the loss was above the level; infinite for one that is not finite.
        climb: over how many steps the level had climbed, in a divergence too slow to leave it behind, or None.
        peak: the highest loss so far; nan once one was not finite.
        over: the step at which it was over; None while it lasts.
        recovered: whether the loss came back, rather than staying at a new level; None while it lasts.
    """

    step: int
    loss: float
    level: float | None
    scales: float
    climb: int | None = None
    peak: float
    over: int | None = None
    recovered: bool | None = None


@final
class Detector:
    """Finds loss spikes in a stream of losses.

    With x = log L, or L itself once a loss was negative, the level m the median of the last 15 values, and
    r = x − m − 8 ṁ, ṁ the slope of the level, a spike begins at

        x − m > max(μ, 0) + s max(8, 2 max z),     μ = median(r),     s = IQR(r)/1.349,     z = (x − m)/s

    over the 128 values outside spikes before the last 15 ones, for z over 1024, each in the scale s that it met;
    or at any loss that is not finite. A fall that ends is none, as the slope is not in what is compared. A slow
    divergence is one: m has risen by twice that threshold within 128 steps. A few microseconds a step.

    Example:
        >>> detector = Detector()
        >>> events = [detector.see(t, 9.0 if t == 60 else 1.0) for t in range(70)]
        >>> [(t, event) for t, event in enumerate(events) if event in ("begins", "over")]
        [(60, 'begins'), (63, 'over')]
    """

    def __init__(self) -> None:
        self.spike: Spike | None = None
        """The present spike, or the last one."""
        self._logarithmic = True
        self._reference = 0.0
        self._past: deque[float] = deque(maxlen=_MEMORY + _LEVEL)
        self._forget()

    def see(self, step: int, loss: float | int) -> Event | None:
        """Take one loss in; say what it is to a spike, or None while there is none."""
        loss = float(loss)
        finite = math.isfinite(loss)
        if finite and loss < 0 and self._logarithmic:
            self._without_logarithms(step)
        x = self._value(loss) if finite else math.inf
        if self.lasting:
            return self._during(step, loss, x)
        level = self._level()
        excess, threshold, scale = self._excess(x, level)
        climb = None if level is None or excess > threshold or x < level else self._climb(step, level, threshold)
        if excess > threshold or climb is not None or not finite:
            self._ceiling = self._present_ceiling() if climb is None else self._lowest[0][1] + threshold
            self._calm, self._began = 0, step
            self.spike = Spike(
                step=step, loss=loss, level=self._level_of_losses(), scales=excess / scale if finite else math.inf,
                climb=climb, peak=loss,
            )  # fmt: skip
            return "begins"
        self._take(step, loss, x, level, scale)
        return None

    @property
    def lasting(self) -> bool:
        """Whether a spike has begun that is not over."""
        return self.spike is not None and self.spike.over is None

    def _during(self, step: int, loss: float, x: float) -> Event:
        """A loss inside a spike; level and scale stay what they were before it."""
        spike = self.spike
        assert spike is not None
        peak = max(spike.peak, loss) if math.isfinite(loss) and math.isfinite(spike.peak) else math.nan
        self._calm = self._calm + 1 if x <= self._ceiling else 0
        recovered = self._calm >= _CALM
        settled = math.isfinite(loss) and step - self._began >= _LONGEST
        over = step if recovered or settled else None
        self.spike = replace(spike, peak=peak, over=over, recovered=None if over is None else recovered)
        if over is not None and not recovered:
            self._forget()
            self._past.clear()
        return "lasts" if over is None else "over"

    def _take(self, step: int, loss: float, x: float, level: float | None, scale: float) -> None:
        """Let a loss outside spikes count towards level and scale."""
        self._past.append(loss)
        if level is not None:
            # The median lags behind by half its length: a steady fall is no scatter.
            drift = (level - self._levels[0]) / len(self._levels) if self._levels else 0.0
            self._levels.append(level)
            self._order.append(x - level - drift * _LAG)
            self._excesses.append((x - level) / scale)
            self._count += 1
            if len(self._order) > _DELAY:
                insort(self._deviations, self._order[-1 - _DELAY])
                while self._highest and self._highest[-1][1] <= self._excesses[0]:
                    self._highest.pop()
                self._highest.append((self._count, self._excesses[0]))
            if len(self._order) > _DELAY + _MEMORY:
                del self._deviations[bisect_left(self._deviations, self._order.popleft())]
            if self._highest and self._highest[0][0] <= self._count - _TAILS:
                self._highest.popleft()
            while self._lowest and self._lowest[-1][1] >= level:
                self._lowest.pop()
            self._lowest.append((self._count, level, step))
            if self._lowest[0][0] <= self._count - _MEMORY:
                self._lowest.popleft()
        self._recent.append(x)
        if self._logarithmic and loss > self._reference:
            # The first loss, and then levels: a single high loss does not move what counts as rounding.
            typical = self._level_of_losses()
            self._reference = max(self._reference, loss if typical is None else min(loss, typical))

    def _excess(self, x: float, level: float | None) -> tuple[float, float, float]:
        """How far x is above where it was expected, how far a spike would be, and the robust scale."""
        deviations = self._deviations
        count = len(deviations)
        if level is None or count < _WARM:
            return 0.0, math.inf, math.inf
        quarter, middle, three = deviations[count // 4], deviations[count * 2 // 4], deviations[count * 3 // 4]
        # Subnormal losses have no share of themselves.
        scale = max((three - quarter) / _NORMAL, self._steady(), 5e-324)
        return x - level - max(middle, 0.0), scale * max(_SCALES, _BEYOND * self._highest[0][1]), scale

    def _climb(self, step: int, level: float, threshold: float) -> int | None:
        """Over how many steps the level has climbed, if it was far."""
        far = bool(self._lowest) and level - self._lowest[0][1] > _CLIMB * threshold
        return step - self._lowest[0][2] if far else None

    def _present_ceiling(self) -> float:
        """Below what the spike that begins now is over."""
        level = self._level()
        if level is None:
            return math.nextafter(math.inf, 0.0)
        excess, threshold, _ = self._excess(level, level)
        return level - excess + threshold / 2

    def _steady(self) -> float:
        if self._logarithmic:
            return _STEADY
        return _STEADY * max(map(abs, self._recent))

    def _level(self) -> float | None:
        count = len(self._recent)
        return sorted(self._recent)[count // 2] if count >= _FEWEST_LEVEL else None

    def _level_of_losses(self) -> float | None:
        """The level, as a loss."""
        last = list(self._past)[-_LEVEL:]
        return sorted(last)[len(last) // 2] if len(last) >= _FEWEST_LEVEL else None

    def _value(self, loss: float) -> float:
        if not self._logarithmic:
            return loss
        return math.log(max(loss + _ROUNDING * self._reference, 5e-324))

    def _without_logarithms(self, step: int) -> None:
        """A loss that can be negative has no logarithm: go through the past again as it is."""
        self._logarithmic = False
        past = list(self._past)
        self._past.clear()
        self._forget()
        for at, loss in enumerate(past, step - len(past)):
            level = self._level()
            self._take(at, loss, loss, level, self._excess(loss, level)[2])
        if self.lasting:
            self._ceiling = self._present_ceiling()

    def _forget(self) -> None:
        self._recent: deque[float] = deque(maxlen=_LEVEL)
        self._order: deque[float] = deque()
        self._deviations: list[float] = []
        self._levels: deque[float] = deque(maxlen=_LEVEL)
        self._excesses: deque[float] = deque(maxlen=_DELAY + 1)
        # The highest excess in scales within the memory, and those that will be it once older ones are forgotten.
        self._highest: deque[tuple[int, float]] = deque()
        # The lowest level, likewise, and the step that it was before.
        self._lowest: deque[tuple[int, float, int]] = deque()
        self._count = 0
        self._ceiling, self._calm, self._began = math.inf, 0, 0
