"""Coordinates of the iterate along fixed random directions."""

from dataclasses import dataclass
from typing import Any, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.foundation import SettingError, generator
from edgewise.objectives import Objective
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class Projections(Probe):
    """R w for a fixed Gaussian matrix R with `count` rows, entries N(0, 1), not normalised.

    Distances between iterates, and their growth, survive the projection up to a factor √count (Johnson and
    Lindenstrauss), so trajectories can be compared long after the iterates are gone. Two runs with the same
    `seed` and size of w share R.

    Attributes:
        count: number of directions; R takes count × params numbers of memory.
        seed: of R, independent of the run's.
        every: read every so many steps.

    References:
        cohen2021gradient (500 directions, seed 7)
    """

    count: int = 8
    seed: int = 7
    every: int = 1

    def __post_init__(self) -> None:
        require_every(self.every)
        if self.count < 1:
            raise SettingError(f"count={self.count}", "there is nothing to project on", "Type count=1 or more")

    def series(self) -> tuple[Series, ...]:
        """`projection`, along `direction`."""
        long_name = "coordinate along a random direction"
        return (Series("projection", ("direction",), units="parameter", long_name=long_name),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """R w."""
        return {"projection": (self._directions(frame.objective) @ frame.w).tolist()}, None

    def _directions(self, objective: Objective) -> Tensor:
        drawn = _DRAWN.setdefault(objective, {})
        if self not in drawn:
            numbers = generator(self.seed, "projections")
            rows = torch.randn(self.count, objective.size, generator=numbers, dtype=torch.float64)
            drawn[self] = rows.to(dtype=objective.dtype, device=objective.device)
        return drawn[self]


# R follows from its seed: it is kept beside the objective, for all processes, and out of the checkpoints.
_DRAWN: WeakKeyDictionary[Objective, dict[Projections, Tensor]] = WeakKeyDictionary()
