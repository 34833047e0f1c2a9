"""What is read of a run, and how well."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, final

from cyclopts import Parameter

from edgewise.cli.options.groups import READING

if TYPE_CHECKING:
    from edgewise.dynamics import Probe

ProbeName = Literal[
    "sharpness", "midpoint-sharpness", "gradient-norm", "directional-curvature", "distance", "projections"
]


@Parameter(name="*", group=READING)
@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """What is read, beside loss and accuracy.

    Attributes:
        probe: what to read; may be repeated.
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

    def build(self) -> "list[Probe]":
        """The probes.

        Raises:
            SettingError: if an option is outside its range, or concerns a probe that was not asked for.
        """
        from edgewise.dynamics import (
            DirectionalCurvature,
            DistanceFromStart,
            GradientNorm,
            MidpointSharpness,
            Projections,
            Sharpness,
        )
        from edgewise.foundation import SettingError

        default = type(self)()
        for option, value, usual, names in (
            ("--above", self.above, default.above, {"sharpness"}),
            ("--top", self.top, default.top, {"sharpness", "midpoint-sharpness"}),
            ("--rtol", self.rtol, default.rtol, {"sharpness", "midpoint-sharpness"}),
        ):
            if value != usual and names.isdisjoint(self.probe):
                raise SettingError(
                    f"{option} {value}", "no sharpness is going to be read", "Add --probe sharpness"
                )
        probes: dict[str, Probe] = {
            "sharpness": Sharpness(k=self.top, rtol=self.rtol, every=self.every, above=self.above),
            "midpoint-sharpness": MidpointSharpness(k=self.top, rtol=self.rtol, every=self.every),
            "gradient-norm": GradientNorm(every=self.every),
            "directional-curvature": DirectionalCurvature(every=self.every),
            "distance": DistanceFromStart(every=self.every),
            "projections": Projections(every=self.every),
        }
        return [probes[name] for name in dict.fromkeys(self.probe)]
