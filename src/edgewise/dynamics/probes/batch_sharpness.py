"""Batch sharpness: the curvature that mini-batches meet along their own gradients."""

from dataclasses import dataclass
from typing import Any, final

from edgewise.curvature import batch_sharpness, require_batches, require_samples
from edgewise.dynamics.frame import Frame, Readings
from edgewise.dynamics.probes.probe import Probe, require_every
from edgewise.foundation import SettingError, derive_seed
from edgewise.objectives import Objective
from edgewise.records import Series


@final
@dataclass(frozen=True, slots=True)
class BatchSharpness(Probe):
    """E_B[g_Bᵀ H_B g_B / ‖g_B‖²] over fresh batches, with its confidence interval.

    Stochastic gradient descent without momentum holds it at 2/η, while the sharpness of the full batch stays
    below. With heavy-ball momentum it is held at 2(1 − β)/η for small batches and at the critical curvature
    2(1 + β)/η, which the edge ratio here refers to, only for large ones.

    Up to `max_batches` gradients and products of a batch a reading: 1,000 batches of 8 out of 8,000 samples cost
    as much as one gradient and product of the whole, and rather more time, being small. Hence a reading every
    ten steps, where other probes read at every one. The batches follow from the run's seed and the step, and
    are not those that the process descends on.

    Args:
        batch_size: samples a batch: that of the process, to compare with its critical curvature.
        rtol: the relative standard error at which a reading stops, after at least 32 batches.
        max_batches: where it stops all the same.
        every: read every so many steps.
        replacement: whether a batch may hold a sample several times.

    Raises:
        SettingError: if an argument is outside its range.

    References:
        andreyev2024edge, andreyev2026momentum
    """

    batch_size: int
    rtol: float = 0.005
    max_batches: int = 1000
    every: int = 10
    replacement: bool = False

    def __post_init__(self) -> None:
        require_every(self.every)
        require_batches(self.batch_size, self.rtol, self.max_batches)

    def series(self) -> tuple[Series, ...]:
        """`batch_sharpness`, its error, the variant outside, the batches drawn, and `batch_edge_ratio`."""
        units, size = "loss / parameter²", f"batches of {self.batch_size}"
        return (
            Series("batch_sharpness", units=units, long_name=f"batch sharpness, {size}"),
            Series("batch_sharpness_error", units=units, long_name="half width of its 95 % confidence interval"),
            Series("batch_sharpness_outside", units=units, long_name="E[gᵀHg] / E[‖g‖²] over the same batches"),
            Series("batch_sharpness_batches", units="batches", long_name=f"{size} that have a gradient"),
            Series("batch_edge_ratio", units="1", long_name="batch sharpness / critical curvature"),
        )

    def init(self, objective: Objective, seed: int) -> Any:
        """The seed of its batches.

        Raises:
            ObjectiveError: if the objective has no mini-batches.
            SettingError: if it has fewer samples than a batch without replacement.
        """
        require_samples(objective, self.batch_size, self.replacement)
        return seed

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """The batch sharpness at w; nothing where no batch has a gradient, or the curvature is not finite."""
        seed = derive_seed(state, str(frame.step))
        try:
            found = batch_sharpness(
                frame.objective, frame.w, self.batch_size, self.rtol, self.max_batches, seed, self.replacement
            )
        except SettingError:
            # The settings were checked when the run began: what is left to refuse is such a place.
            return {}, state
        return {
            "batch_sharpness": found.value,
            "batch_sharpness_error": found.half_width(),
            "batch_sharpness_outside": found.outside,
            "batch_sharpness_batches": float(found.batches),
            "batch_edge_ratio": found.value / frame.critical_curvature,
            # In products of the whole objective, as the run counts them.
            "products": found.products * self.batch_size / frame.objective.samples,
        }, state
