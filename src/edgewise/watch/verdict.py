"""Where a run stands, from its readings and losses alone; "cannot tell" where they do not carry an answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from edgewise.watch.deciding import DECISIVE, NOW, ONE_DIRECTION, deciding
from edgewise.watch.losses import Losses
from edgewise.watch.reading import Kind, Reading, Readings
from edgewise.watch.slope import readable, slope_of

Phase = Literal["stable", "sharpening", "at the edge", "beyond the edge", "cannot tell"]
"""Where a run stands.

    stable             below the edge, and the edge ratio is not rising
    sharpening         below the edge, and the edge ratio rises
    at the edge        the edge ratio is about one
    beyond the edge    it is above, or the loss has blown up: a catapult or a divergence
    cannot tell        too few readings, or readings too uncertain
"""

# Between these the iterate hovers about the edge: Cohen et al. see 0.95 to 1.05 of 2/η, and readings have bounds.
_BELOW, _ABOVE = 0.9, 1.25
# Readings older than this share of the run, and than so many steps, say where it was.
_FRESH, _PATIENCE = 1 / 3, 100
# A trend needs so many readings.
_TREND = 5
# A crossing this many times further off than the run has lasted is no forecast.
_FAR = 10
# An edge ratio that may be so many times as large is known badly.
_VAGUE = 2.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where a run stands; `str` says it in sentences.

    Attributes:
        phase: in a word or three.
        step: updates seen.
        edge_ratio: curvature ÷ critical curvature, the median of the evidence; 1 is the edge. None if unknown.
        low: what the edge ratio is at least, by the evidence's own bounds and spread.
        high: what it is at most.
        trend: its change per update, by the Theil–Sen slope; 0 where it does not clearly rise or fall, None if
            that is not known.
        steps_to_edge: updates until it reaches one at that rate; only for a run that is sharpening.
        rests_on: the kind of reading that decided.
        evidence: the readings that it rests on.
        optimizer: the optimiser and its line in words, or why its line is not known.
        diverged: the first step with a loss that is not finite, or None.
    """

    phase: Phase
    step: int
    edge_ratio: float | None
    low: float | None
    high: float | None
    trend: float | None
    steps_to_edge: int | None
    rests_on: Kind | None
    evidence: tuple[Reading, ...]
    optimizer: str
    diverged: int | None = None

    @property
    def margin(self) -> float | None:
        """How many times larger the step size could be, as things stand: 1 ÷ edge ratio.

        None where the evidence looked in one direction only: another one may be sharper.
        """
        told = self.rests_on in ("effective sharpness", "mean-square sharpness", "batch sharpness")
        return 1.0 / self.edge_ratio if told and self.edge_ratio and self.edge_ratio > 0 else None

    def __str__(self) -> str:
        return " ".join(_sentences(self))


def judge(
    readings: Readings,
    losses: Losses,
    step: int,
    lr: float,
    *,
    small_batches: bool,
    own_batches: bool = False,
    optimizer: str = "the optimiser",
) -> Verdict:
    """The verdict on a run.

    Args:
        readings: of the watch.
        losses: what the training reported.
        step: updates seen.
        lr: the present step size of the first param group. Critical curvatures go with 1/η, so a reading that was
            taken at another one is seen at this one.
        small_batches: whether an update averages over fewer samples than the probe batch has.
        own_batches: whether curvature along an update was read on the update's own batch, not on the probe batch.
        optimizer: the optimiser and its line, for the sentences.
    """
    evidence = _evidence(readings, step)
    ratio = low = high = trend = None
    crossing = None
    if evidence:
        last = evidence[-NOW:]
        ratios = [ratio_at(r, lr) for r in last]
        ratio = float(np.median(ratios))
        scales = [lr / r.lr for r in last]
        bounds = [
            (c * b[0], c * b[1]) for r, c in zip(last, scales, strict=True) if (b := r.ratio_bounds) is not None
        ]
        # Quartiles without interpolation: an update uphill has an infinite ratio.
        ordered, quarter = sorted(ratios), (len(ratios) - 1) // 4
        low = min(ordered[quarter], float(np.median([b[0] for b in bounds])))
        high = max(ordered[-1 - quarter], float(np.median([b[1] for b in bounds])))
        rows = [row for row in evidence if readable(row)]
        if len(rows) >= _TREND:
            slope = slope_of(rows)
            trend = slope.rate * lr
            if slope.rising and trend > 0 and ratio < _BELOW:
                steps = math.ceil((1.0 - ratio) / trend)
                crossing = steps if steps <= _FAR * max(step, 1) else None
    phase: Phase
    if losses.not_finite is not None or losses.blown_up:
        phase = "beyond the edge"
    elif ratio is None or high is None or low is None or (low < _BELOW and high > _ABOVE):
        phase = "cannot tell"
    elif ratio > _ABOVE:
        foreign = small_batches and not own_batches and evidence[-1].kind == "critical sharpness"
        phase = "cannot tell" if foreign and not losses.rising else "beyond the edge"
    elif _stale(evidence, step):
        phase = "cannot tell"
    elif ratio >= _BELOW:
        phase = "at the edge"
    else:
        phase = "sharpening" if crossing is not None else "stable"
    return Verdict(
        phase=phase, step=step, edge_ratio=ratio, low=low, high=high, trend=trend,
        steps_to_edge=crossing if phase == "sharpening" else None,
        rests_on=evidence[-1].kind if evidence else None, evidence=tuple(evidence), optimizer=optimizer,
        diverged=losses.not_finite,
    )  # fmt: skip


def _evidence(readings: Readings, step: int) -> list[Reading]:
    """The fresh readings that decide; where there are none, the last one of all."""
    rows = [
        r for r in readings if r.kind in DECISIVE and r.lr > 0 and r.ratio is not None and not math.isnan(r.ratio)
    ]
    return deciding([r for r in rows if _fresh(r, step)]) or rows[-1:]


def ratio_at(reading: Reading, lr: float) -> float:
    """The edge ratio of a reading, as it would be at another step size."""
    return math.nan if reading.ratio is None else reading.ratio * lr / reading.lr


def _stale(evidence: Sequence[Reading], step: int) -> bool:
    """Whether the evidence says where the run was, not where it is."""
    return not _fresh(evidence[-1], step)


def _fresh(reading: Reading, step: int) -> bool:
    return step - reading.step <= max(_FRESH * step, _PATIENCE)


def _sentences(verdict: Verdict) -> list[str]:
    said = [_where(verdict)]
    # Beyond the edge without a ratio that says so.
    by_loss = verdict.phase == "beyond the edge" and (verdict.edge_ratio is None or verdict.edge_ratio <= _ABOVE)
    if by_loss and verdict.diverged is None:
        said.append("It rests on the loss, which is well above where the run began.")
    if verdict.edge_ratio is not None and verdict.rests_on is not None:
        count = len(verdict.evidence[-NOW:])
        rests = "Read was" if by_loss else "It rests on"
        said.append(
            f"{rests} the {verdict.rests_on}: {count} reading{'s' * (count > 1)} up to step "
            f"{verdict.evidence[-1].step}, edge ratio {_amount(verdict.edge_ratio)} "
            f"({_amount(verdict.low)} to {_amount(verdict.high)}), for {verdict.optimizer}."
        )
        if verdict.rests_on in ONE_DIRECTION and verdict.phase in ("stable", "sharpening"):
            said.append("It looks in one direction only: another may be nearer to its edge.")
    if verdict.margin is not None and verdict.phase in ("stable", "sharpening"):
        # Where the edge ratio is known badly only its upper bound is worth saying.
        assert verdict.edge_ratio is not None and verdict.high is not None
        vague = verdict.high > _VAGUE * verdict.edge_ratio
        times = f"at least {1 / verdict.high:.1f}" if vague else f"{verdict.margin:.1f}"
        if not vague or verdict.high < 1:
            said.append(f"As things stand the step size could be {times} times as large.")
    return said


def _amount(ratio: float | None) -> str:
    """A ratio in two digits after the point; one that has none of them is not nothing."""
    return "below 0.01" if ratio is not None and 0 < ratio < 0.005 else f"{ratio or 0.0:.2f}"


def _where(verdict: Verdict) -> str:
    match verdict.phase:
        case "stable":
            return f"Stable at step {verdict.step}: below the edge of stability, and not approaching it."
        case "sharpening":
            return (
                f"Sharpening at step {verdict.step}: below the edge of stability, and reaching it in about "
                f"{verdict.steps_to_edge} steps at this rate."
            )
        case "at the edge":
            return (
                f"At the edge of stability at step {verdict.step}: the step size is as large as the curvature "
                "allows, and holds the curvature there. A loss that is not monotone is normal here."
            )
        case "beyond the edge":
            if verdict.diverged is not None:
                return f"Diverged: the loss is not finite at step {verdict.diverged}."
            return (
                f"Beyond the edge of stability at step {verdict.step}: the step size is too large for the "
                "curvature, which a catapult will lower or a divergence end."
            )
        case _:
            if verdict.edge_ratio is None:
                return f"Cannot tell at step {verdict.step}: no curvature could be read yet within the budget."
            if _stale(verdict.evidence, verdict.step):
                return (
                    f"Cannot tell at step {verdict.step}: the last reading is of step "
                    f"{verdict.evidence[-1].step}. A larger budget reads more often."
                )
            if verdict.edge_ratio > _ABOVE and verdict.low is not None and verdict.low >= _BELOW:
                return (
                    f"Cannot tell at step {verdict.step}: updates overshoot on the samples that they are read on, "
                    "as they do past the edge, but also where small batches have brought the loss to rest. "
                    "Hand the batch over: watch.step(loss, batch)."
                )
            return (
                f"Cannot tell at step {verdict.step}: the readings reach from {verdict.low:.2f} to "
                f"{verdict.high:.2f} of the critical curvature."
            )
