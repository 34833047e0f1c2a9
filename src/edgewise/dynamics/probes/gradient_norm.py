"""The length of the gradient; free."""

from dataclasses import dataclass
from typing import Any, final

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class GradientNorm(Probe):
    """‖∇L(w)‖."""

    every: int = 1

    def __post_init__(self) -> None:
        require_every(self.every)

    def series(self) -> tuple[Series, ...]:
        """`gradient_norm`."""
        return (Series("gradient_norm", units="loss / parameter", long_name="gradient norm"),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """‖∇L(w)‖."""
        return {"gradient_norm": float(frame.point.gradient.norm())}, None
