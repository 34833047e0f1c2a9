"""Whose turn it is to read: what a watch reads at which step, within its budget."""

from collections.abc import Callable, Mapping, Sequence
from typing import final

from edgewise.foundation import EdgewiseError
from edgewise.watch.budget import Budget
from edgewise.watch.complaints import Complaints
from edgewise.watch.instrument import Instrument, Moment
from edgewise.watch.instruments import (
    CriticalSharpness,
    EffectiveSharpness,
    GradientCurvature,
    Norms,
)
from edgewise.watch.live import LiveLoss, Weights
from edgewise.watch.reading import Reading
from edgewise.watch.sharding import ElsewhereError, Timetable

# From this edge ratio on, eigenpairs are worth their price.
_NEAR, _NEAR_WEIGHT = 0.6, 2.0
# What is nearly free is read every so many steps at most, if nothing else is, and for this share of the budget:
# what is dear could never be saved for otherwise.
_LIGHT, _LIGHT_PART = 10, 1 / 10
# The first reading of an instrument takes so many times what later ones do: it knows nothing to start from, and
# most often the search for a critical sharpness goes to its last pass, the 11th instead of the 7th.
_FIRST = 1.6
# An instrument that fails so many times in a row is left alone.
_PATIENCE = 3
# How badly it may fail: a line that is not known stays unknown; anything else may pass, an overflow as often as it
# likes.
_PASSES, _COUNTS, _LASTS = 1, 2, 3


@final
class Rota:
    """The instruments of a watch, and which of them reads next.

    An instrument is chosen a step ahead, since some need the weights before the update that they read. The
    processes of a sharded model choose the same one at the same step; what fails in one of them fails in all.

    Args:
        live: the loss of the model.
        budget: what reading may cost.
        complaints: where failures go.
        seed: of the instruments.

    Attributes:
        before: the weights before the coming update, if they were kept.
    """

    def __init__(self, live: LiveLoss, budget: Budget, complaints: Complaints, seed: int) -> None:
        self.before: Weights | None = None
        self._live, self._clock, self._complaints = live, budget.clock, complaints
        self._timetable = Timetable(live.agreement, budget)
        self._budget = self._timetable.budget
        self._norms = Norms()
        self._eigenvector = EffectiveSharpness(seed)
        self._instruments: dict[str, Instrument] = {"critical sharpness": CriticalSharpness()}
        if live.differentiable_twice:
            self._instruments["gradient curvature"] = GradientCurvature(seed)
            self._instruments["effective sharpness"] = self._eigenvector
        self._armed: tuple[str, Instrument] | None = None
        self._following = False
        self._light = 0
        self._failures: dict[str, int] = {}
        self._ratio: float | None = None
        # The first one of all finds everything cold.
        live.value_at()
        clock = self._clock()
        live.value_at()
        _, seconds = self._timetable.end(seconds=self._clock() - clock)
        self._pass = seconds
        for name, instrument in self._instruments.items():
            self._budget.expect(name, _FIRST * instrument.passes * seconds)

    def own_batches(self, samples: int) -> None:
        """Know that batches of so many samples are handed over, which critical sharpness is read on."""
        if samples and not self._live.shards:
            share = min(1.0, samples / self._live.samples)
            self._budget.expect("critical sharpness", _FIRST * CriticalSharpness.passes * share * self._pass)

    @property
    def shares(self) -> Mapping[str, float] | None:
        """Of the last eigenvector, the share of its mass in each parameter."""
        return self._eigenvector.shares

    @property
    def busy(self) -> bool:
        """Whether the next step has to be asked about: to read, or as processes count steps together."""
        return self._armed is not None or self._following or bool(self._live.shards)

    def rests(self, step: int) -> bool:
        """Whether nothing is to be read now; if so, what is to be read at the next step is chosen."""
        self._timetable.step()
        if self._armed is not None or self._following:
            return False
        light = step >= self._light
        if light:
            self._light = step + _LIGHT
        if light or not self._budget.asleep:
            self._arm(light=light)
        return True

    def read(self, moment: Moment) -> list[Reading]:
        """What was chosen at the last step."""
        readings: list[Reading] = []
        if self._following:
            self._following = False
            readings += self._try("norms", lambda: self._norms.follow(moment))[0]
        if self._armed is not None:
            (name, instrument), self._armed = self._armed, None
            own, seconds = self._try(name, lambda: instrument.read(moment))
            self._charge(name, instrument, own, seconds)
            self._following = instrument is self._norms
            readings += own
        self._ratio = next((r.ratio for r in reversed(readings) if r.ratio is not None), self._ratio)
        if not self._following:
            self._arm(light=False)
        return readings

    def _arm(self, *, light: bool) -> None:
        near = _NEAR_WEIGHT if self._ratio is not None and self._ratio > _NEAR else 1.0
        weights = {
            name: instrument.weight * (near if instrument is self._eigenvector else 1.0)
            for name, instrument in self._instruments.items()
            if self._failures.get(name, 0) < _PATIENCE
        }
        name = self._budget.next(weights)
        if name is not None:
            self._armed = name, self._instruments[name]
        elif light and self._budget.affords("norms", _LIGHT_PART) and self._failures.get("norms", 0) < _PATIENCE:
            self._armed = "norms", self._norms
        if self._armed is not None and self._armed[1].wants_before:
            self.before = self._live.snapshot(self.before)

    def _charge(self, name: str, instrument: Instrument, readings: Sequence[Reading], seconds: float) -> None:
        """Put a reading on the account, and learn from it what the next one will cost."""
        self._budget.charge(name, seconds)
        passes = sum(reading.passes for reading in readings)
        self._budget.expect(name, seconds * max(instrument.passes, 1.0) / passes if passes else seconds)

    def _try(self, name: str, read: Callable[[], list[Reading]]) -> tuple[list[Reading], float]:
        """What is read, and the seconds that it took."""
        clock, readings, error, failure = self._clock(), [], None, 0
        try:
            readings = read()
        except Exception as raised:
            # Where the weights are not finite every instrument fails in its own way.
            error = raised if self._live.finite else FloatingPointError("the weights are not finite")
            lasts = isinstance(error, EdgewiseError) and not isinstance(error, ElsewhereError)
            failure = (
                _LASTS if lasts else _PASSES if isinstance(error, FloatingPointError | ElsewhereError) else _COUNTS
            )
        worst, seconds = self._timetable.end(failure, self._clock() - clock)
        if not worst:
            self._failures[name] = 0
            return readings, seconds
        if worst == _LASTS:
            self._failures[name] = _PATIENCE
        elif worst == _COUNTS:
            self._failures[name] = self._failures.get(name, 0) + 1
        self._complaints.about(f"the {name}", error or ElsewhereError())
        return [], seconds
