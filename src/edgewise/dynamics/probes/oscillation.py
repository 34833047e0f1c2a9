"""The oscillation of the iterate along the top eigenvector, which is what the edge of stability looks like."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch

from edgewise.curvature import Tracker
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.dynamics.probes.sharpness import track
from edgewise.objectives import Objective
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class Oscillation(Probe):
    """Where the iterate stands along the top eigenvector, from the midpoint of its neighbours.

        xₜ = ⟨u, wₜ − w*ₜ⟩,    w*ₜ = (wₜ₋₁ + 2 wₜ + wₜ₊₁) / 4

    with the unit eigenvector u of the largest eigenvalue at wₜ₊₁, whose sign is kept from reading to reading.
    Below the edge x is as small as the path is straight; at the edge it flips its sign at every step. The reading
    belongs to the middle of the three steps, and is known one step later.

    Args:
        rtol: of the eigenvalue; the eigenvector is good to its square root at worst.
        every: read every so many steps.

    References:
        damian2022selfstabilization, cohen2021gradient
    """

    rtol: float = 2e-3
    every: int = 1
    products: ClassVar[bool] = True
    history: ClassVar[int] = 2
    lag: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require_every(self.every)
        self._tracker()

    def series(self) -> tuple[Series, ...]:
        """`oscillation`."""
        return (Series("oscillation", units="parameter", long_name="displacement along the top eigenvector"),)

    def init(self, objective: Objective, seed: int) -> Any:
        """A cold tracker, and no eigenvector seen."""
        return self._tracker().init(seed), None

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The displacement; nothing before the third point."""
        memory, before = state
        if len(frame.history) < 2:
            return {}, state
        pairs, memory = track(self._tracker(), frame.point, memory, frame.critical_curvature)
        if pairs is None:
            return {}, (memory, before)
        u = pairs.vectors[:, 0]
        if before is not None and float(torch.dot(u, before)) < 0:
            u = -u
        middle, first = frame.history
        displacement = torch.dot(u, 2 * middle.w - first.w - frame.w) / 4
        return {"oscillation": float(displacement)}, (memory, u)

    def _tracker(self) -> Tracker:
        # Readings an even number of steps apart see the same phase of a period-two oscillation.
        return Tracker(k=1, rtol=self.rtol, lag=2 if self.every % 2 else 1)
