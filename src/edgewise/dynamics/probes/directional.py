"""The curvature along the gradient: one product, no eigensolver."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

from edgewise.curvature import directional_curvature
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class DirectionalCurvature(Probe):
    """gᵀHg / ‖g‖² along the gradient g = ∇L(w).

    Never above the sharpness; near it once the iterate oscillates along the top eigenvector.
    """

    every: int = 1
    products: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_every(self.every)

    def series(self) -> tuple[Series, ...]:
        """`directional_curvature`."""
        return (
            Series("directional_curvature", units="loss / parameter²", long_name="curvature along the gradient"),
        )

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """gᵀHg / ‖g‖²; nothing where the gradient vanishes, or is on the way to infinity."""
        gradient = frame.point.gradient
        if not 0 < float(gradient.norm()) < math.inf:
            return {}, None
        return {"directional_curvature": directional_curvature(frame.point, gradient).value}, None
