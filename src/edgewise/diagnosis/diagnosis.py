"""The diagnosis of a run: from its series alone to its phases, and to a sentence.

A diagnosis uses measured numbers, never the network, so that anyone who has the record can make it
again. It says "cannot tell" where the readings do not carry an answer.
"""

from dataclasses import dataclass
from typing import final

from numpy.typing import ArrayLike

from edgewise.diagnosis.divergence import find_divergence
from edgewise.diagnosis.forecast import forecast_edge
from edgewise.diagnosis.phase import Evidence, Forecast, Kind, Phase, Spread
from edgewise.diagnosis.segmentation import find_moves, find_phases
from edgewise.diagnosis.sentences import Words, describe
from edgewise.diagnosis.series import read_series


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The phases of a run, in order; `str` says it in a sentence or two.

    Attributes:
        phases: they tile the run.
        forecast: for a run that is still sharpening at its end.
        evidence: what it rests on.
        formula: the critical curvature in words or symbols, such as `2/η`.
        measured: what was measured, `sharpness` or `effective sharpness`.
    """

    phases: tuple[Phase, ...]
    forecast: Forecast | None
    evidence: Evidence
    formula: str
    measured: str = "sharpness"

    @property
    def state(self) -> Kind:
        """What the run does at its last step."""
        return self.phases[-1].kind

    @property
    def onset(self) -> int | None:
        """The first step at which the sharpness exceeds the critical curvature and stays around it."""
        return next((phase.start for phase in self.phases if phase.kind == "edge"), None)

    @property
    def edge_ratio(self) -> Spread | None:
        """The edge ratio over the last edge of the run; None if it was never there."""
        return next((phase.edge_ratio for phase in reversed(self.phases) if phase.kind == "edge"), None)

    def __str__(self) -> str:
        words = Words(formula=self.formula, measured=self.measured)
        return describe(self.phases, self.forecast, self.evidence, words)


def diagnose(
    step: ArrayLike,
    loss: ArrayLike,
    sharpness: ArrayLike,
    critical_curvature: ArrayLike | float,
    *,
    bounds: ArrayLike | None = None,
    formula: str = "the critical curvature",
    measured: str = "sharpness",
) -> Diagnosis:
    """What a run did: sharpening, edge, catapult, divergence, or "cannot tell".

    The edge of stability lasts from the first step with sharpness above the critical curvature, if it
    stays around there, to the last one with sharpness above 0.95 of it (1.9/η). So the late drop of
    cross-entropy, whose curvature fades with its loss, is told apart from an edge that was never reached;
    and a cycle's dip is not taken for the end. A jump of the critical curvature (a step-size drop) ends
    an edge; the next one is found anew.

    Args:
        step: the step of every row, increasing.
        loss: the loss before that step; nan where it was not read, or is no longer finite.
        sharpness: the largest eigenvalue of the Hessian there; nan where it was not read.
        critical_curvature: where the method loses stability; one number, or one a row.
        bounds: error bounds of the sharpness, if known. A reading whose bound is wider than its
            distance to the edge, and than 5 % of the critical curvature, is set aside.
        formula: the critical curvature in words or symbols, for the sentence.
        measured: what `sharpness` holds, for the sentence; "effective sharpness" of a preconditioned method.

    Raises:
        SettingError: if the series do not fit together.

    Example:
        >>> diagnosis = diagnose(range(100), [1.0] * 100, [50.0] * 100, 200.0, formula="2/η")
        >>> diagnosis.state, diagnosis.onset
        ('stable', None)

    References:
        cohen2021gradient, damian2023selfstabilization, lewkowycz2020catapult
    """
    series = read_series(step, loss, sharpness, critical_curvature, bounds)
    divergence = find_divergence(series)
    moves = find_moves(series)
    phases = find_phases(series, moves, divergence)
    return Diagnosis(
        phases=phases,
        forecast=forecast_edge(series, phases[-1]),
        evidence=Evidence(
            rows=series.step.size,
            readings=series.at.size + series.uncertain,
            uncertain=series.uncertain,
            median_bound=series.median_bound,
            moves=moves,
            non_finite_step=divergence.non_finite_step if divergence else None,
        ),
        formula=formula,
        measured=measured,
    )
