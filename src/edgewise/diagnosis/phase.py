"""The values that a diagnosis is made of: phases, each with the numbers that it rests on.

Everything here is plain numbers, so that a diagnosis can be stored and compared.
"""

from dataclasses import dataclass
from typing import Literal, final

Kind = Literal[
    "sharpening",
    "stable",
    "edge",
    "above the edge",
    "left the edge",
    "catapult",
    "divergence",
    "cannot tell",
]
"""What a run does in a phase.

    sharpening      below the critical curvature, sharpness rising
    stable          below the critical curvature, sharpness not rising
    edge            sharpness hovers about the critical curvature
    above the edge  sharpness stays well above it, and the loss does not blow up
    left the edge   sharpness has sunk below it after an edge, and not come back
    catapult        starts above it; one large spike of the loss, which recovers at lower sharpness
    divergence      the loss grows without end, or is no longer finite
    cannot tell     too few readings, or readings too uncertain
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median with the middle half of the readings around it.

    Attributes:
        median: of the readings.
        lower: their first quartile.
        upper: their third quartile.
        readings: how many there were.
    """

    median: float
    lower: float
    upper: float
    readings: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of steps in which the run does one thing; the phases of a run tile it.

    Attributes:
        kind: what it does.
        start: its first step.
        end: its last step, included.
        edge_ratio: sharpness ÷ critical curvature over the phase; None without a reading. For an edge,
            over the readings up to the last one above 0.95.
        ratio_start: the first edge ratio read in the phase.
        ratio_end: the last one.
        ratio_peak: the largest one.
        loss_start: the loss at its first step (the last one read by then).
        loss_end: the loss at its last step.
        loss_peak: the largest finite loss in between.
    """

    kind: Kind
    start: int
    end: int
    edge_ratio: Spread | None
    ratio_start: float | None
    ratio_end: float | None
    ratio_peak: float | None
    loss_start: float | None
    loss_end: float | None
    loss_peak: float | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A jump of the critical curvature: the step size was changed.

    Attributes:
        step: the first step with the new critical curvature.
        before: the critical curvature until then.
        after: the critical curvature from then on.
    """

    step: int
    before: float
    after: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When a sharpening run reaches its edge, if it goes on at its present rate.

    Attributes:
        steps: from the last reading to the crossing, by the Theil–Sen slope of the edge ratio.
        earliest: by the upper end of the slope's 90 % confidence interval.
        latest: by the lower end.
    """

    steps: int
    earliest: int
    latest: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the whole diagnosis rests on.

    Attributes:
        rows: steps in the record.
        readings: how many of them carry a sharpness.
        uncertain: readings whose error bound is too wide to say on which side of the edge they lie.
        median_bound: the median error bound, as a share of the critical curvature; None if none was given.
        moves: jumps of the critical curvature.
        non_finite_step: the first step with a loss that is not finite, in a run that diverged.
    """

    rows: int
    readings: int
    uncertain: int
    median_bound: float | None
    moves: tuple[Move, ...]
    non_finite_step: int | None
