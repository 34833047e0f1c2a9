"""When a run ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from cyclopts import Parameter

from edgewise.cli.options.groups import ENDING

if TYPE_CHECKING:
    from edgewise.dynamics import Event


@Parameter(name="*", group=ENDING)
@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GoalOptions:
    """What ends a run before its last step. A run that diverges ends at any rate.

    Attributes:
        until_edge_held: end once the edge of stability has been held for so many steps.
        until_accuracy: end once the training accuracy is above this share.
        until_loss: end once the loss is below this.
    """

    until_edge_held: int | None = None
    until_accuracy: float | None = None
    until_loss: float | None = None

    def build(self) -> "list[Event]":
        """The events.

        Raises:
            SettingError: if a goal is outside its range.
        """
        from edgewise.dynamics import AccuracyAbove, Diverged, EdgeHeld, LossBelow

        events: list[Event] = [Diverged()]
        if self.until_edge_held is not None:
            events.append(EdgeHeld(self.until_edge_held))
        if self.until_accuracy is not None:
            events.append(AccuracyAbove(self.until_accuracy))
        if self.until_loss is not None:
            events.append(LossBelow(self.until_loss))
        return events
