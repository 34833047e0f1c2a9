"""The alignment of a network's layers with each other."""

from dataclasses import dataclass
from typing import Any, final

from edgewise.curvature import jacobian_alignment
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.foundation import SettingError
from edgewise.objectives import Objective
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class JacobianAlignment(Probe):
    """‖J_D ⋯ J₂‖ / (‖J_D‖ ⋯ ‖J₂‖) of the layerwise Jacobians, averaged over samples.

    1 where the direction that each layer stretches most is the one that the next does; its growth is one
    way of progressive sharpening. See `edgewise.curvature.jacobian_alignment`, which says what a layer is.

    Args:
        samples: how many to average over, spread evenly over the data.
        every: read every so many steps; each layer's Jacobian is taken densely, sample by sample.

    References:
        lowell2024training
    """

    samples: int = 16
    every: int = 10

    def __post_init__(self) -> None:
        require_every(self.every)
        if self.samples < 1:
            raise SettingError(f"samples={self.samples}", "a mean is over something", "Type samples=16")

    def series(self) -> tuple[Series, ...]:
        """`jacobian_alignment`, and `layer_overlap` and `layer_norm` by layer."""
        return (
            Series("jacobian_alignment", units="1", long_name="alignment of the layerwise Jacobians"),
            Series("layer_overlap", ("gap",), units="1", long_name="overlap of consecutive top singular vectors"),
            Series("layer_norm", ("layer",), units="1", long_name="spectral norm of the layerwise Jacobian"),
        )

    def init(self, objective: Objective, seed: int) -> Any:
        """Nothing to remember.

        Raises:
            ObjectiveError: if the layers of the objective's module cannot be told apart.
        """
        self._measured(objective, objective.start)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The alignment at w; nothing where a Jacobian vanishes."""
        return self._measured(frame.objective, frame.w), None

    def _measured(self, objective: Objective, w: Any) -> Readings:
        try:
            found = jacobian_alignment(objective, w, self.samples)
        except SettingError:
            # The settings were checked when the probe was made: what is left to refuse is such a Jacobian.
            return {}
        return {
            "jacobian_alignment": found.alignment,
            "layer_overlap": list(found.overlaps),
            "layer_norm": list(found.norms),
        }
