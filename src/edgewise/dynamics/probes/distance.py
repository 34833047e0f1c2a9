"""How far a process has come."""

from dataclasses import dataclass
from typing import Any, final

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class DistanceFromStart(Probe):
    """‖w − w₀‖."""

    every: int = 1

    def __post_init__(self) -> None:
        require_every(self.every)

    def series(self) -> tuple[Series, ...]:
        """`distance_from_start`."""
        return (Series("distance_from_start", units="parameter", long_name="distance from the start"),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """‖w − w₀‖."""
        return {"distance_from_start": float((frame.w - frame.start).norm())}, None
