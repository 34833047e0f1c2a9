"""What a probe is: a frozen value that reads a process and returns named numbers.

A probe changes nothing: what it remembers from one reading to the next is a state that is passed in and
out and stored with the checkpoint, so that a resumed run reads the same numbers.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from edgewise.dynamics.frame import Frame, Readings
from edgewise.foundation import SettingError
from edgewise.objectives import Objective
from edgewise.records import Series


class Probe(ABC):
    """Reads a process every so many steps.

    Attributes:
        every: the rows of steps that are multiples of this have a reading.
        products: whether it asks the frame's point for Hessian-vector products.
        predicted: whether it needs the second process of its pair to be a flow.
        history: how many earlier points it needs in the frame.
        lag: how many steps before the frame's its readings belong to (a midpoint is known one step late).
    """

    __slots__ = ()

    every: int
    products: ClassVar[bool] = False
    predicted: ClassVar[bool] = False
    history: ClassVar[int] = 0
    lag: ClassVar[int] = 0

    @property
    def pair(self) -> tuple[str, ...]:
        """The processes that it looks at together; none for a probe of one process at a time."""
        return ()

    @property
    def of(self) -> str | None:
        """The one process in whose rows its readings stand: the second of a pair; None reads all."""
        return self.pair[1] if self.pair else None

    @abstractmethod
    def series(self) -> tuple[Series, ...]:
        """The series it writes."""

    def init(self, objective: Objective, seed: int) -> Any:
        """What it remembers before the first reading; None for nothing."""
        return None

    @abstractmethod
    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """Read one frame.

        Args:
            frame: the process as it stands.
            state: what `init` or the previous reading returned.

        Returns:
            The readings by series name, and the next state. `products` among them, a series of every run, adds
            what was spent at other points than the frame's.
        """

    def due(self, step: int) -> bool:
        """Whether it reads at this step."""
        return (step - self.lag) % self.every == 0


def require_every(every: Any) -> None:
    """Refuse an interval that is not a positive number of steps."""
    # Python counts True as 1.
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise SettingError(f"every={every!r:.60}", "a probe reads every so many steps", "Type every=1 or more")
