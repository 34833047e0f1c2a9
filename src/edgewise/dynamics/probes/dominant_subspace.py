"""How much of the gradient lies in the dominant subspace, and how much of that is oscillation."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from edgewise.curvature import Tracker, TrackerState, dominant_fraction
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.dynamics.probes.relative_progress import before
from edgewise.dynamics.probes.sharpness import track
from edgewise.objectives import Objective
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class DominantSubspace(Probe):
    """The share of the gradient's length in the span of the top k eigenvectors of the Hessian.

        χ_k(g) = ‖P_k g‖ / ‖g‖,     also of the two-step mean (∇L(w₋) + ∇L(w))/2

    with P_k taken at w. At the edge of stability the gradient is nearly all dominant, but what makes it so is
    the oscillation of period two along the top eigenvectors, which the mean over two steps leaves out.

    Args:
        k: the dimension of the dominant subspace: the number of classes, in the paper.
        rtol: of the eigenvalues. The subspace is good to its square root at worst.
        every: read every so many steps; at every step the gradient before is at hand, else it costs one.

    References:
        song2024does, gurari2018gradient
    """

    k: int = 10
    rtol: float = 2e-3
    every: int = 1
    products: ClassVar[bool] = True
    history: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require_every(self.every)
        self._tracker()

    def series(self) -> tuple[Series, ...]:
        """`dominant_fraction`, and that of the mean gradient of two steps."""
        return (
            Series("dominant_fraction", units="1", long_name=f"share of the gradient in the top {self.k} modes"),
            Series("mean_dominant_fraction", units="1", long_name="the same of the mean gradient of two steps"),
        )

    def init(self, objective: Objective, seed: int) -> Any:
        """A cold tracker, and no gradient seen."""
        return self._tracker().init(seed), None

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The shares; nothing where a gradient vanishes."""
        memory: TrackerState
        memory, seen = state
        gradient = frame.point.gradient
        pairs, memory = track(self._tracker(), frame.point, memory, frame.critical_curvature)
        readings = {}
        if pairs is not None:
            vectors = pairs.vectors
            if _points(gradient):
                readings["dominant_fraction"] = dominant_fraction(gradient, vectors)
            if frame.history and _points(mean := (before(frame, seen)[1] + gradient) / 2):
                readings["mean_dominant_fraction"] = dominant_fraction(mean, vectors)
        return readings, (memory, (frame.step, frame.point.value, gradient))

    def _tracker(self) -> Tracker:
        # Readings an even number of steps apart see the same phase of a period-two oscillation.
        return Tracker(k=self.k, rtol=self.rtol, lag=2 if self.every % 2 else 1)


def _points(gradient: Tensor) -> bool:
    return 0.0 < float(torch.linalg.vector_norm(gradient)) < math.inf
