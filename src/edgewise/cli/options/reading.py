"""What is read of a run, and how well."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, final

from cyclopts import Parameter

from edgewise.cli.options.groups import READING

if TYPE_CHECKING:
    from edgewise.dynamics import Probe

ProbeName = Literal[
    "sharpness",
    "effective-sharpness",
    "midpoint-sharpness",
    "oscillation",
    "gradient-norm",
    "directional-curvature",
    "distance",
    "projections",
    "relative-progress",
    "dominant-subspace",
    "jacobian-alignment",
    "batch-sharpness",
]

_BATCH = 32
_EIGENVALUES = {"sharpness", "effective-sharpness", "midpoint-sharpness"}


@Parameter(name="*", group=READING)
@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """What is read, beside loss and accuracy.

    Attributes:
        probe: what to read; may be repeated. Of a method with a preconditioner the effective sharpness is read too
            if nothing is typed. The batch sharpness is that of the batches of sgd, else of 32 samples.
        top: how many of the largest eigenvalues.
        every: read every so many steps.
        rtol: bound of the error of an eigenvalue, relative to the largest.
        above: follow also every eigenvalue above this fraction of the critical curvature.
    """

    probe: Annotated[tuple[ProbeName, ...], Parameter(negative="", show_default=" ".join)] = ("sharpness",)
    top: Annotated[int, Parameter(name=["--top", "-k"])] = 3
    every: int = 1
    rtol: float = 2e-3
    above: float | None = None

    def build(self, *, preconditioned: bool = False, batch_size: int | None = None) -> "list[Probe]":
        """The probes.

        Args:
            preconditioned: whether the method has a preconditioner.
            batch_size: samples a step of the method, if it has batches.

        Raises:
            SettingError: if an option is outside its range, or concerns a probe that was not asked for.
        """
        from edgewise.dynamics import (
            BatchSharpness,
            DirectionalCurvature,
            DistanceFromStart,
            DominantSubspace,
            EffectiveSharpness,
            GradientNorm,
            JacobianAlignment,
            MidpointSharpness,
            Oscillation,
            Projections,
            RelativeProgress,
            Sharpness,
        )
        from edgewise.foundation import SettingError

        default = type(self)()
        for option, value, usual, names in (
            ("--above", self.above, default.above, {"sharpness"}),
            ("--top", self.top, default.top, _EIGENVALUES),
            ("--rtol", self.rtol, default.rtol, _EIGENVALUES),
        ):
            if value != usual and names.isdisjoint(self.probe):
                raise SettingError(
                    f"{option} {value}", "no sharpness is going to be read", "Add --probe sharpness"
                )
        probes: dict[str, Probe] = {
            "sharpness": Sharpness(k=self.top, rtol=self.rtol, every=self.every, above=self.above),
            "effective-sharpness": EffectiveSharpness(k=self.top, rtol=self.rtol, every=self.every),
            "oscillation": Oscillation(rtol=self.rtol, every=self.every),
            "midpoint-sharpness": MidpointSharpness(k=self.top, rtol=self.rtol, every=self.every),
            "gradient-norm": GradientNorm(every=self.every),
            "directional-curvature": DirectionalCurvature(every=self.every),
            "distance": DistanceFromStart(every=self.every),
            "projections": Projections(every=self.every),
            "relative-progress": RelativeProgress(every=self.every),
            "dominant-subspace": DominantSubspace(every=self.every),
            "jacobian-alignment": JacobianAlignment(every=self.every),
            "batch-sharpness": BatchSharpness(batch_size or _BATCH, every=self.every),
        }
        added = ("effective-sharpness",) if preconditioned and self.probe == default.probe else ()
        return [probes[name] for name in dict.fromkeys((*self.probe, *added))]
