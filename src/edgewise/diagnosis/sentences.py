"""A diagnosis in words: one sentence for what the run does at its end, one for what came before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from edgewise.diagnosis.excursion import NEAR
from edgewise.diagnosis.phase import Evidence, Forecast, Phase

# A loss this small against its start explains a sharpness that sinks below the edge: the curvature of
# cross-entropy fades with p(1 − p).
_FADED = 0.1
# A crossing this many times further off than the phase has lasted is no forecast.
_FAR = 10


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the numbers of a diagnosis are called.

    Attributes:
        formula: the critical curvature in words or symbols, such as `2/η`.
        measured: what was measured, `sharpness` or `effective sharpness`.
    """

    formula: str
    measured: str


def describe(phases: Sequence[Phase], forecast: Forecast | None, evidence: Evidence, words: Words) -> str:
    """What the run does at its end, and the last edge or catapult before that."""
    *earlier, last = phases
    match last.kind:
        case "edge":
            text = _edge(last, words, again=any(phase.kind == "edge" for phase in earlier))
        case "left the edge":
            edge = next(phase for phase in reversed(earlier) if phase.kind == "edge")
            earlier = [phase for phase in earlier if phase is not edge]
            text = _left(edge, last, phases[0], words)
        case "sharpening":
            text = _sharpening(last, forecast, words)
        case "stable":
            text = (
                f"Below the edge of stability: {words.measured} {_times(last.ratio_end, words)} at the last "
                f"reading, and not rising{_loss_moved(last)}."
            )
        case "above the edge":
            text = (
                f"Above the edge of stability since step {last.start}: {words.measured} {_spread(last, words)}"
                f"{_loss_moved(last)}. That cannot last, unless the critical curvature is another method's."
            )
        case "catapult":
            text = _catapult(last, words)
        case "divergence":
            text = _divergence(last, earlier, evidence, words)
        case "cannot tell":
            text = _cannot_tell(last, evidence, words)
    return " ".join([text, *_before(earlier, evidence, words)])


def _edge(edge: Phase, words: Words, *, again: bool) -> str:
    return (
        f"At the edge of stability {'again ' if again else ''}since step {edge.start}: "
        f"{words.measured} {_spread(edge, words)}{_loss_moved(edge)}."
    )


def _left(edge: Phase, after: Phase, first: Phase, words: Words) -> str:
    text = (
        f"At the edge of stability from step {edge.start} to {edge.end}: {words.measured} {_spread(edge, words)}"
        f"{_loss_moved(edge)}. Then the {words.measured} sank to {_times(after.ratio_end, words)}"
    )
    if after.loss_end is None or first.loss_start is None:
        return text + "."
    if after.loss_end > _FADED * first.loss_start:
        return text + f", with the loss at {after.loss_end:.3g}."
    return text + (
        f" as the loss faded to {after.loss_end:.3g}: the late drop of a fitted run, not an edge missed."
    )


def _sharpening(phase: Phase, forecast: Forecast | None, words: Words) -> str:
    text = (
        f"Sharpening since step {phase.start}: the {words.measured} rose from {_times(phase.ratio_start)} "
        f"to {_times(phase.ratio_end, words)}"
    )
    if forecast is None:
        return text + f"{_loss_moved(phase)}."
    if forecast.steps > _FAR * (phase.end - phase.start + 1):
        return text + f"; at this rate the edge is some {_count(forecast.steps)} steps away."
    return text + (
        f"; at this rate it reaches the edge in about {_count(forecast.steps)} steps "
        f"({_count(forecast.earliest)}–{_count(forecast.latest)})."
    )


def _catapult(phase: Phase, words: Words) -> str:
    assert phase.loss_start is not None  # a catapult is found by its loss
    return (
        f"Catapult from step {phase.start} to {phase.end}: the loss rose from {phase.loss_start:.3g} to "
        f"{phase.loss_peak:.3g} and came back to {phase.loss_end:.3g}, while the {words.measured} fell from "
        f"{_times(phase.ratio_peak)} to {_times(phase.ratio_end, words)}."
    )


def _divergence(phase: Phase, earlier: Sequence[Phase], evidence: Evidence, words: Words) -> str:
    grew = ""
    if phase.loss_start is not None and phase.loss_peak is not None and phase.loss_peak > phase.loss_start:
        grew = f"the loss grew from {phase.loss_start:.3g} to {phase.loss_peak:.3g} since step {phase.start}"
    if evidence.non_finite_step is None:
        text = f"Diverging: {grew}"
    else:
        text = f"Diverged: the loss is not finite at step {evidence.non_finite_step}"
        text += f"; {grew}" if grew else ""
    if phase.ratio_start is not None:
        text += f", with {words.measured} {_times(phase.ratio_start, words)} when that began"
    elif earlier and earlier[-1].ratio_end is not None:
        text += f", with {words.measured} {_times(earlier[-1].ratio_end, words)} at the last reading"
    peaks = [p.ratio_peak for p in (*earlier[-1:], phase) if p.ratio_peak is not None]
    if peaks and max(peaks) < NEAR:
        text += ": below the edge, so the step size is not the likely cause"
    return text + "."


def _cannot_tell(phase: Phase, evidence: Evidence, words: Words) -> str:
    if evidence.readings == 0:
        return f"Cannot tell: no {words.measured} was read."
    if evidence.uncertain > evidence.readings - evidence.uncertain:
        return (
            f"Cannot tell: {evidence.uncertain} of {evidence.readings} readings have error bounds wider than "
            f"their distance to the edge (median bound {_times(evidence.median_bound, words)}). "
            f"Read the {words.measured} with a smaller tolerance or more products."
        )
    if phase.edge_ratio is None:
        return f"Cannot tell: no {words.measured} was read."
    if phase.edge_ratio.readings == 1 and evidence.readings == 1:
        return f"Cannot tell from one reading: {words.measured} {_times(phase.ratio_end, words)}."
    return (
        f"Cannot tell yet: the {words.measured} went above the edge at step {phase.start} and was "
        f"{_times(phase.ratio_end, words)} at the last reading, too few readings to say whether it stays."
    )


def _before(earlier: Sequence[Phase], evidence: Evidence, words: Words) -> list[str]:
    """The last edge or catapult before, and the jump of the critical curvature that ended it."""
    text = []
    for phase in reversed(earlier):
        if phase.kind == "edge":
            text.append(
                f"Before that it was at the edge from step {phase.start} to {phase.end}, "
                f"with {words.measured} {_spread(phase, words)}."
            )
        elif phase.kind == "catapult":
            text.append("Before that: c" + _catapult(phase, words)[1:])
        if text:
            text += [
                f"At step {move.step} the edge moved from {words.measured} {move.before:.4g} to {move.after:.4g}."
                for move in evidence.moves
                if move.step == phase.end + 1
            ]
            break
    return text


def _spread(phase: Phase, words: Words) -> str:
    assert phase.edge_ratio is not None  # an edge is made of readings
    ratio = phase.edge_ratio
    return (
        f"{_times(ratio.median, words)} (median over {ratio.readings} readings; "
        f"middle half {ratio.lower:.2f}–{ratio.upper:.2f})"
    )


def _times(ratio: float | None, words: Words | None = None) -> str:
    number = "unknown" if ratio is None else f"{ratio:.2f}"
    return number if words is None else f"{number} × {words.formula}"


def _count(steps: int) -> str:
    """A number of steps to three digits: 295,893 is 296,000."""
    return f"{round(steps, 3 - len(str(steps))):,}" if steps >= 1000 else str(steps)


def _loss_moved(phase: Phase) -> str:
    if phase.loss_start is None or phase.loss_end is None:
        return ""
    start, end = f"{phase.loss_start:.3g}", f"{phase.loss_end:.3g}"
    if start == end:
        return f", while the loss stayed at {start}"
    return f", while the loss {'fell' if phase.loss_end < phase.loss_start else 'rose'} from {start} to {end}"
