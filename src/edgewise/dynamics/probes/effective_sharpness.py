"""The effective sharpness: the largest eigenvalues of the Hessian in the metric of the method's preconditioner."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from edgewise.curvature import EffectiveHessian, Hessian, Tracker
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.dynamics.probes.sharpness import eigenvalue_readings, eigenvalue_series
from edgewise.foundation import SettingError
from edgewise.linalg import Identity
from edgewise.objectives import Objective
from edgewise.records import Series

_NAME = "effective_sharpness"


@final
@dataclass(frozen=True, slots=True)
class EffectiveSharpness(Probe):
    """The k largest **algebraic** eigenvalues of P^(-1/2) H(w) P^(-1/2), tracked from step to step.

    P is the preconditioner of the coming step, so its edge ratio says which modes that step would make grow; where
    a process has no preconditioner this is the sharpness. For Adam and RMSProp it, and not the sharpness,
    settles at the critical curvature.

    Attributes:
        k: how many eigenvalues to follow at least.
        rtol: bound of the error of each, relative to the largest.
        every: read every so many steps.

    References:
        cohen2022adaptive
    """

    k: int = 1
    rtol: float = 2e-3
    every: int = 1
    products: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_every(self.every)
        self._tracker()

    def series(self) -> tuple[Series, ...]:
        """`effective_sharpness` with its bound, residual and convergence, and `effective_edge_ratio`, by rank."""
        *eigenvalues, converged, ratio = eigenvalue_series(_NAME, "largest eigenvalues of the effective Hessian")
        # A preconditioner brings units of its own; what is left is what makes η λ a number.
        return (*(replace(one, units="1 / step size") for one in eigenvalues), converged, ratio)

    def init(self, objective: Objective, seed: int) -> Any:
        """A cold tracker."""
        return self._tracker().init(seed)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The eigenvalues at w; nothing where P or a product is not finite, as on the way to infinity."""
        operator = frame.seen(Hessian.at(frame.point))
        direction = frame.point.gradient
        try:
            preconditioner = frame.preconditioner
            if not isinstance(preconditioner, Identity | None):
                operator = EffectiveHessian(operator, preconditioner)
                direction = preconditioner.power(-0.5) @ direction
            pairs, state = self._tracker().read(operator, state, frame.critical_curvature, [direction])
        except SettingError:
            # The settings were checked when the probe was made: what is left to refuse is such a P or product.
            return {}, state
        return eigenvalue_readings(_NAME, pairs, frame.critical_curvature), state

    def _tracker(self) -> Tracker:
        # Readings an even number of steps apart see the same phase of a period-two oscillation.
        return Tracker(k=self.k, rtol=self.rtol, lag=2 if self.every % 2 else 1)
