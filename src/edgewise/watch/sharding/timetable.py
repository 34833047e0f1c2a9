"""A budget that several processes reckon alike, though each has a clock of its own."""

from typing import final

from edgewise.watch.budget import Budget
from edgewise.watch.sharding.agreement import Agreement


@final
class Timetable:
    """Decides for all processes at once what can be afforded, with a word between them only now and then.

    They speak at every reading, and at the 1st, 2nd, 4th, 8th, … step: then the training has taken the shortest
    time that any process says, and watching the longest. From there to the next word every step is thought to take
    as long as usual, in the process where that is least. So a decision is a matter of counting steps, and all of
    them come to the same.

    Args:
        agreement: of the processes; of one process alone it is that one's own budget that decides.
        own: the budget of this process.

    Attributes:
        budget: what decides.
    """

    def __init__(self, agreement: Agreement, own: Budget) -> None:
        self._agreement, self._own = agreement, own
        self._shared = agreement.processes > 1
        self.budget = Budget(own.share) if self._shared else own
        self._steps, self._usual = 0, 0.0

    def step(self) -> None:
        """One more step of the training."""
        if not self._shared:
            return
        self._steps += 1
        self.budget.training += self._usual
        if self._steps & (self._steps - 1) == 0:
            self.end()

    def end(self, failure: float | int = 0.0, seconds: float = 0.0) -> tuple[float, float]:
        """At the end of what was done together.

        Args:
            failure: how badly it failed here; 0 if it did not.
            seconds: what it took here.

        Returns:
            How badly it failed where that was worst, and the most that it took.
        """
        own = self._own
        if not self._shared:
            return float(failure), seconds
        rows = self._agreement.end(float(failure), seconds, own.training, own.own + seconds, own.usual or 0.0)
        failures, times, training, watching, usual = zip(*rows, strict=True)
        self.budget.training, self.budget.own, self._usual = min(training), max(watching), min(usual)
        return max(failures), max(times)
