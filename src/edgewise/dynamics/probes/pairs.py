"""What lies between two processes: how far apart they are, and how well one predicts the other.

A reading of the pair (a, b) stands in the rows of b, at the steps where both go on.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch

from edgewise.curvature import Tracker
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.dynamics.probes.sharpness import track
from edgewise.foundation import SettingError, derive_seed
from edgewise.objectives import Objective
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class Distance(Probe):
    """‖w_a − w_b‖, and the same relative to ‖w_b − w₀‖, the way that b has come.

    Args:
        a: the process that the distance is from, such as the midpoint of a run.
        b: the process in whose rows it is written, such as a flow.
        every: read every so many steps.
    """

    a: str
    b: str
    every: int = 1

    def __post_init__(self) -> None:
        require_every(self.every)

    @property
    def pair(self) -> tuple[str, ...]:
        """a and b."""
        return self.a, self.b

    def series(self) -> tuple[Series, ...]:
        """`distance` and `relative_distance`."""
        return (
            Series("distance", units="parameter", long_name=f"distance from {self.a}"),
            Series("relative_distance", units="1", long_name=f"distance from {self.a} ÷ way from the start"),
        )

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The distances; nothing once a has ended, and no relative one at the start."""
        if self.a not in frame.others:
            return {}, None
        distance = float((frame.others[self.a].w - frame.w).norm())
        way = float((frame.w - frame.start).norm())
        readings = {"distance": distance}
        if way > 0:
            readings["relative_distance"] = distance / way
        return readings, None


@final
@dataclass(frozen=True, slots=True)
class EigenspaceAlignment(Probe):
    """How much of the top eigenspace of one process lies in that of the other.

        ‖U_aᵀ U_b‖²_F / k, between 0 (orthogonal) and 1 (the same space)

    with the k top eigenvectors of the Hessian at either point, tracked here: two eigenproblems a reading.

    Args:
        a, b: the processes; the reading stands in the rows of b.
        k: the dimension of the eigenspaces.
        rtol: of the eigenvalues.
        every: read every so many steps.
    """

    a: str
    b: str
    k: int = 1
    rtol: float = 2e-3
    every: int = 1
    products: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_every(self.every)
        Tracker(k=self.k, rtol=self.rtol)

    @property
    def pair(self) -> tuple[str, ...]:
        """a and b."""
        return self.a, self.b

    def series(self) -> tuple[Series, ...]:
        """`eigenspace_alignment`."""
        long_name = f"alignment of the top eigenspaces with {self.a}"
        return (Series("eigenspace_alignment", units="1", long_name=long_name),)

    def init(self, objective: Objective, seed: int) -> Any:
        """Two cold trackers."""
        tracker = Tracker(k=self.k, rtol=self.rtol)
        return tracker.init(derive_seed(seed, "a")), tracker.init(derive_seed(seed, "b"))

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The alignment; nothing once a has ended."""
        if self.a not in frame.others:
            return {}, state
        other, tracker = frame.others[self.a], Tracker(k=self.k, rtol=self.rtol)
        first, memory = track(tracker, other.point, state[0], other.critical_curvature)
        second, memory_too = track(tracker, frame.point, state[1], frame.critical_curvature)
        state = memory, memory_too
        if first is None or second is None:
            return {}, state
        overlap = torch.linalg.matrix_norm(first.vectors.T @ second.vectors).square() / first.vectors.shape[1]
        return {"eigenspace_alignment": float(overlap)}, state


@final
@dataclass(frozen=True, slots=True)
class PredictedLossRatio(Probe):
    """The loss of a discrete run ÷ the time-averaged loss that a flow predicts, both averaged over a window.

    1 is a right prediction: the mean over whole cycles of the run's loss is what the flow predicts.

    Args:
        a: the discrete run.
        b: the flow, in whose rows the reading stands.
        window: how many of the last readings are averaged; there is a reading once there are as many.
        every: read every so many steps.
    """

    a: str
    b: str
    window: int = 50
    every: int = 1
    predicted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_every(self.every)
        if self.window < 1:
            raise SettingError(f"window={self.window}", "a mean is over something", "Type window=50")

    @property
    def pair(self) -> tuple[str, ...]:
        """a and b."""
        return self.a, self.b

    def series(self) -> tuple[Series, ...]:
        """`predicted_loss_ratio`."""
        long_name = f"loss of {self.a} ÷ predicted loss, over {self.window} readings"
        return (Series("predicted_loss_ratio", units="1", long_name=long_name),)

    def init(self, objective: Objective, seed: int) -> Any:
        """Nothing in the window yet."""
        return ()

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The ratio; nothing before the window is full, or where b predicts nothing."""
        prediction = frame.prediction
        if self.a not in frame.others or prediction is None:
            return {}, ()
        state = (*state, (float(frame.others[self.a].point.value), prediction.loss))[-self.window :]
        if len(state) < self.window:
            return {}, state
        ratio = math.fsum(pair[0] for pair in state) / math.fsum(pair[1] for pair in state)
        return {"predicted_loss_ratio": ratio}, state


@final
@dataclass(frozen=True, slots=True)
class ModeDisplacement(Probe):
    """⟨uᵢ, w_a − w_b⟩: where a discrete run stands along each critical mode uᵢ of a flow.

    For a method with a preconditioner P it is ⟨Puᵢ, w_a − w_b⟩/‖Puᵢ‖, its modes being orthogonal in that metric.

    Its mean square over whole cycles is what the flow predicts as `predicted_variance`.

    Args:
        a: the discrete run.
        b: a flow that knows its critical modes, such as the central flow; the reading stands in its rows.
        every: read every so many steps.
        about: the process from which it is taken; None takes the flow itself. About the midpoints of the run it is
            the oscillation alone, wherever the flow has drifted to.

    References:
        cohen2025understanding
    """

    a: str
    b: str
    every: int = 1
    about: str | None = None
    predicted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_every(self.every)

    @property
    def pair(self) -> tuple[str, ...]:
        """a and b, and the process from which it is taken."""
        return (self.a, self.b) if self.about is None else (self.a, self.b, self.about)

    def series(self) -> tuple[Series, ...]:
        """`mode_displacement`, or `mode_oscillation` about another process, along `mode`."""
        long_name = f"displacement of {self.a} along a critical mode"
        return (Series(self._name, ("mode",), units="parameter", long_name=long_name),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The displacements; nothing once a has ended, or while no mode is critical."""
        prediction = frame.prediction
        others = {self.a} if self.about is None else {self.a, self.about}
        if not others <= frame.others.keys() or prediction is None or prediction.directions is None:
            return {}, None
        centre = frame.w if self.about is None else frame.others[self.about].w
        displacements = prediction.directions.T @ (frame.others[self.a].w - centre)
        return ({self._name: displacements.tolist()} if len(displacements) else {}), None

    @property
    def _name(self) -> str:
        return "mode_displacement" if self.about is None else "mode_oscillation"
