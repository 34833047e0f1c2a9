"""The training loss and the metrics of the objective, from the pass that the step needs anyway."""

from dataclasses import dataclass
from typing import Any, final

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class Loss(Probe):
    """The training loss L(w); free where the step needs the gradient of all data anyway.

    Every run records it, asked for or not. Typing `Loss(every=100)` spares a mini-batch method the passes over all
    data in between.
    """

    every: int = 1

    def __post_init__(self) -> None:
        require_every(self.every)

    def series(self) -> tuple[Series, ...]:
        """`loss`."""
        return (Series("loss", long_name="training loss"),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """L(w)."""
        return {"loss": float(frame.point.value)}, None


@final
@dataclass(frozen=True, slots=True)
class Accuracy(Probe):
    """The share of training samples whose largest output is their class; free.

    Reads nothing where the objective has no classes.
    """

    every: int = 1

    def __post_init__(self) -> None:
        require_every(self.every)

    def series(self) -> tuple[Series, ...]:
        """`accuracy`."""
        return (Series("accuracy", units="1", long_name="training accuracy"),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The objective's metric of that name."""
        metrics = frame.point.metrics
        return ({"accuracy": float(metrics["accuracy"])} if "accuracy" in metrics else {}), None
