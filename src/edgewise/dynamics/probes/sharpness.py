"""The sharpness: the largest eigenvalues of the Hessian, each with its error bound."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from edgewise.curvature import Hessian, Tracker, TrackerState
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.foundation import SettingError
from edgewise.linalg import Eigenpairs, Identity
from edgewise.objectives import Objective, Point
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class Sharpness(Probe):
    """The k largest **algebraic** eigenvalues of H(w), tracked from step to step.

    The edge ratio is theirs to the critical curvature. A method with a preconditioner has none here: its stability
    is decided by the effective Hessian, which `EffectiveSharpness` reads.

    Attributes:
        k: how many eigenvalues to follow at least.
        rtol: bound of the error of each, relative to the largest.
        every: read every so many steps.
        above: follow also every eigenvalue above this fraction of the critical curvature.

    References:
        cohen2021gradient
    """

    k: int = 1
    rtol: float = 2e-3
    every: int = 1
    above: float | None = None
    products: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_every(self.every)
        self._tracker()

    def series(self) -> tuple[Series, ...]:
        """`sharpness` with its bound, residual and convergence, and `edge_ratio`, by rank."""
        return eigenvalue_series("sharpness", "largest Hessian eigenvalues")

    def init(self, objective: Objective, seed: int) -> Any:
        """A cold tracker."""
        return self._tracker().init(seed)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The eigenvalues at w."""
        pairs, state = track(self._tracker(), frame.point, state, frame.critical_curvature)
        readings = eigenvalue_readings("sharpness", pairs, frame.critical_curvature)
        if not _plain(frame):
            readings.pop("edge_ratio", None)
        return readings, state

    def _tracker(self) -> Tracker:
        # Readings an even number of steps apart see the same phase of a period-two oscillation.
        return Tracker(k=self.k, above=self.above, rtol=self.rtol, lag=2 if self.every % 2 else 1)


@final
@dataclass(frozen=True, slots=True)
class MidpointSharpness(Probe):
    """The same at the two-step midpoint (w₋ + 2w + w₊)/4, where the oscillation along u has cancelled.

    At the edge the iterate flips by ±x along the top eigenvector u at every step, which moves the sharpness by
    x⟨∇λ, u⟩; the midpoint is the smoother place to measure. The reading belongs to the middle of the three
    steps, and is known one step later. It needs a gradient graph of its own: one gradient a reading more.

    Attributes:
        k, rtol, every: as of `Sharpness`.

    References:
        damian2022selfstabilization, cohen2025understanding
    """

    k: int = 1
    rtol: float = 2e-3
    every: int = 1
    history: ClassVar[int] = 2
    lag: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require_every(self.every)
        Tracker(k=self.k, rtol=self.rtol)

    def series(self) -> tuple[Series, ...]:
        """`midpoint_sharpness` with its bound, residual and convergence, by rank, and its products."""
        products = Series(
            "midpoint_products", units="Hessian-vector products", long_name="products spent at the midpoint"
        )
        return (*eigenvalue_series("midpoint_sharpness", "largest Hessian eigenvalues at the midpoint"), products)

    def init(self, objective: Objective, seed: int) -> Any:
        """A cold tracker."""
        return Tracker(k=self.k, rtol=self.rtol).init(seed)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The eigenvalues at the midpoint around the previous step; nothing before the third point."""
        if len(frame.history) < 2:
            return {}, state
        middle, before = frame.history
        point = frame.objective.at((before.w + 2 * middle.w + frame.w) / 4)
        pairs, state = track(Tracker(k=self.k, rtol=self.rtol), point, state, middle.critical_curvature)
        readings = eigenvalue_readings("midpoint_sharpness", pairs, middle.critical_curvature)
        return {**readings, "midpoint_products": float(point.products)}, state


def _plain(frame: Frame) -> bool:
    """Whether the method takes the gradient as it is."""
    try:
        return isinstance(frame.preconditioner, Identity | None)
    except SettingError:  # it has one that cannot be used, as on the way to infinity
        return False


def eigenvalue_series(name: str, long_name: str) -> tuple[Series, ...]:
    """The series that tracked eigenvalues are written to."""
    units = "loss / parameter²"
    prefix = name.removesuffix("sharpness")
    return (
        Series(name, ("rank",), units=units, long_name=long_name),
        Series(f"{name}_bound", ("rank",), units=units, long_name=f"error bound of the {long_name}"),
        Series(f"{name}_residual", ("rank",), units=units, long_name=f"residual ‖Hu − λu‖ of the {long_name}"),
        Series(
            f"{name}_converged", ("rank",), units="1", long_name=f"whether the bound of the {long_name} is met"
        ),
        Series(f"{prefix}edge_ratio", ("rank",), units="1", long_name="edge ratio λ / critical curvature"),
    )


def track(
    tracker: Tracker, point: Point, state: TrackerState, critical_curvature: float
) -> tuple[Eigenpairs | None, TrackerState]:
    """Read the Hessian at a point; nothing where its products are not finite, as on the way to infinity."""
    try:
        return tracker.read(Hessian.at(point), state, critical_curvature, [point.gradient])
    except SettingError:
        # The settings were checked when the probe was made: what is left to refuse is such a product.
        return None, state


def eigenvalue_readings(name: str, pairs: Eigenpairs | None, critical_curvature: float) -> dict[str, list[float]]:
    """Eigenpairs as readings of those series."""
    if pairs is None:
        return {}
    prefix = name.removesuffix("sharpness")
    values = pairs.values.double()
    return {
        name: values.tolist(),
        f"{name}_bound": pairs.bounds.double().tolist(),
        f"{name}_residual": pairs.residuals.double().tolist(),
        f"{name}_converged": pairs.converged.double().tolist(),
        f"{prefix}edge_ratio": (values / critical_curvature).tolist(),
    }
