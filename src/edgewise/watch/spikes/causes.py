"""From the evidence of a spike to its cause, in words: a function of numbers, which anyone can redo."""

import math
from dataclasses import dataclass
from typing import Literal, final

from edgewise.watch.spikes.evidence import SpikeEvidence

Cause = Literal["curvature", "bad batch", "stale second moments", "non-finite values", "unknown"]
"""What made the loss jump.

    curvature              the update was too long for the curvature along it
    bad batch              the weights are as good as before, the batch is not
    stale second moments   the gradient grew faster than an Adam-like optimiser's memory of it
    non-finite values      an infinity or NaN: in the batch, by overflow, or in the weights
    unknown                the evidence contradicts itself, or there is too little of it
"""

# Of two explanations of one rise, the one that has more than half of it.
_HALF = 0.5
# A share of the rise that noise of the probe batch may make; below it the probe did not feel the update.
_NOTHING = 0.1
# 2.3²: Wortsman et al. (2023) call a step at which ‖g‖ is 2.3 times what ν̂ remembers a spike of that ratio,
# and find that loss spikes follow within 8 steps. In stationary training it scatters about one.
STALE = 5.3
# An update in units of the step size is at most about one when ν̂ is up to date, since |E g|² ≤ E g².
_FULL = 1.0
BATCH, GRADIENT, AFTER = "the batch", "the gradient of ", " after the step"
"""How `SpikeEvidence.non_finite` names a batch, a gradient, and a tensor that was finite before the step."""

_LARGEST = {"float16": "65504", "bfloat16": "3.4e38", "float32": "3.4e38"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The cause of a spike, and why it is thought to be that.

    Attributes:
        cause: one word for it.
        because: sentences, the decisive one first.
        ruled_out: sentences about what it was not.
    """

    cause: Cause
    because: tuple[str, ...]
    ruled_out: tuple[str, ...] = ()


def cause_of(evidence: SpikeEvidence) -> Finding:
    """The cause of a spike.

    First whether anything is not finite; then whether the spike is in the batch, whose loss is then as high under
    the old weights, or in the weights, where it shows on the probe batch; and if in the weights, whether
    the update was longer than usual because Adam's second moments were out of date, and would not have overshot
    at its usual length (1/s_c below one), or overshot all the same.

    Args:
        evidence: what was measured.

    Example:
        >>> numbers = SpikeEvidence(step=7, loss_before=1.0, loss_at=8.0, probe_old=1.0, probe_new=9.0)
        >>> cause_of(numbers).cause
        'curvature'

    References:
        wortsman2023stable, cohen2022adaptive, critical2026sharpness
    """
    # A finite loss has no such cause, whatever it leads to: masks hold infinities on purpose.
    if not math.isfinite(evidence.loss_at):
        return _non_finite(evidence)
    if evidence.climb is not None:
        return _climbed(evidence)
    batch, weights = evidence.batch_share, evidence.weights_share
    if evidence.after_spike and weights is not None and weights >= _NOTHING:
        weights = None  # the batch of the spike may have done that
    if batch is not None and batch >= _HALF:
        both = (_probe_rose(evidence), _bad_before(evidence)) if weights is not None and weights >= _HALF else ()
        # An oscillation that has been growing shows in every batch, and more so in the next update.
        if weights is not None and both and weights >= batch:
            return _in_the_weights(evidence, both, ())
        if both:
            return Finding(cause="unknown", because=both)
        return Finding(
            cause="bad batch",
            because=(_bad_before(evidence),),
            ruled_out=() if weights is None else (_probe_share(evidence),),
        )
    ruled_out = () if batch is None else (_batch_was_good(evidence),)
    if weights is not None and weights >= _HALF:
        return _in_the_weights(evidence, (_probe_rose(evidence),), ruled_out)
    if batch is not None and (_own_ratio(evidence) or 0.0) >= 1 and evidence.updates_between is not None:
        return _in_the_weights(evidence, (), (*ruled_out, *_grew_slowly(evidence)))
    if batch is None and weights is not None and weights < _NOTHING:
        because = (
            f"{_probe_share(evidence)}, so the weights are not to blame: what differs is the batch of this step; "
            "its loss under the old weights was not measured",
        )
        return Finding(cause="bad batch", because=because)
    if weights is None:
        missing = "the loss under the weights before and after the update was not measured"
        if evidence.after_spike:
            missing = (
                "the weights of that step were not kept, so what came before it cannot be told from what it did"
            )
        return Finding(cause="unknown", because=(missing, *_curvature_was_near(evidence)), ruled_out=ruled_out)
    because = (
        f"{_probe_share(evidence)}, too little to explain the spike and too much to call the weights innocent",
    )
    return Finding(cause="unknown", because=(*because, *_curvature_was_near(evidence)), ruled_out=ruled_out)


def _in_the_weights(evidence: SpikeEvidence, because: tuple[str, ...], ruled_out: tuple[str, ...]) -> Finding:
    """The update did it: because ν̂ was out of date, or because it was too long for the curvature."""
    stale, ratio = evidence.staleness, evidence.edge_ratio_probe
    if stale is not None and stale >= STALE and _oversized(evidence):
        memory = (
            "" if evidence.beta2 is None else f" (β2 = {evidence.beta2:g} remembers {_memory(evidence.beta2)})"
        )
        words = (
            f"the squared gradient had grown to {stale:.3g} times what the second moments remembered{memory}, so "
            f"the step size was divided by too little{_how_large(evidence)}"
        )
        return Finding(cause="stale second moments", because=(words, *because), ruled_out=ruled_out)
    if stale is not None:
        if stale < STALE:
            ruled_out = (*ruled_out, f"the second moments were up to date: ‖g‖²/Σν̂ was at most {stale:.2g}")
        else:
            ruled_out = (
                *ruled_out,
                f"‖g‖²/Σν̂ had reached {stale:.3g}, but an update of the usual size overshoots too",
            )
    if evidence.uphill and not (evidence.bend or 0.0) >= _HALF:
        words = "the update goes uphill on the probe batch from its beginning on: its length is not what is wrong"
        if evidence.edge_ratio_batch is not None and evidence.edge_ratio_batch >= 1:
            return Finding(cause="curvature", because=(_overshot(evidence), *because), ruled_out=ruled_out)
        return Finding(cause="unknown", because=(words, *because), ruled_out=ruled_out)
    if ratio is not None and ratio < 1 and not (evidence.edge_ratio_batch or 0.0) >= 1:
        return Finding(
            cause="unknown",
            because=(f"the edge ratio along the update was {ratio:.2f}, below one", *because),
            ruled_out=ruled_out,
        )
    return Finding(
        cause="curvature", because=(_overshot(evidence), *because, *_raised(evidence)), ruled_out=ruled_out
    )


def _climbed(evidence: SpikeEvidence) -> Finding:
    """A slow divergence: no single update did it."""
    because = f"the loss has been climbing for {evidence.climb} steps, so no single batch or update is to blame"
    ratios = [_own_ratio(evidence), evidence.edge_ratio_last]
    if any(ratio is not None and 1 <= ratio < math.inf for ratio in ratios):
        return Finding(cause="curvature", because=(because, _overshot(evidence), *_curvature_was_near(evidence)))
    return Finding(cause="unknown", because=(because, *_curvature_was_near(evidence)))


def _own_ratio(evidence: SpikeEvidence) -> float | None:
    """The edge ratio on the batch that the update was made of, which noise of the gradient does not raise."""
    return evidence.edge_ratio_probe if evidence.edge_ratio_batch is None else evidence.edge_ratio_batch


def _oversized(evidence: SpikeEvidence) -> bool:
    """Whether an update of the usual length, in units of the step size, would not have overshot."""
    growth, ratio = evidence.update_growth, evidence.edge_ratio_probe
    if growth is None:
        return evidence.update_rms is not None and evidence.update_rms > _FULL
    if ratio is None or not math.isfinite(ratio):
        return growth >= math.sqrt(STALE)
    return ratio / growth < 1 < growth


def _non_finite(evidence: SpikeEvidence) -> Finding:
    names = evidence.non_finite
    because: list[str] = []
    if not math.isfinite(evidence.loss_at):
        because.append(f"the loss is {evidence.loss_at}")
    before = [name for name in names if not name.endswith(AFTER)]
    if before and before[0] == BATCH:
        because.append("the batch itself holds values that are not finite; the weights that met it were finite")
    elif before:
        others = f", and {len(before) - 1} more" if len(before) > 1 else ""
        because.append(f"the first tensor that is not finite is {before[0]}{others}")
    elif names:
        broken = names[0].removesuffix(AFTER)
        because.append(f"the weights that it was computed at were finite; the step made {broken} not finite")
    else:
        because.append("weights and batch are finite as far as they were seen")
    if came_with_the_batch(evidence):
        because.append(
            f"the probe batch has a loss of {evidence.probe_new:.4g} at the same weights: it came with the batch"
        )
    if evidence.overflow is not None:
        because.append(
            f"{evidence.overflow} was exceeded: it ends at {_LARGEST.get(evidence.overflow, 'its largest number')}"
        )
    if evidence.skipped:
        because.append("the optimiser left the weights as they were, as a loss scaler does with such a gradient")
    ratio, old, new = evidence.edge_ratio_probe, evidence.probe_old, evidence.probe_new
    if BATCH not in names and old is not None and new is not None and not new < 2 * old:
        if ratio is not None and 1 <= ratio < math.inf:
            because.append(f"{_overshot(evidence)}: this may be the end of a divergence")
        because += _raised(evidence)
    ruled_out: tuple[str, ...] = ()
    if evidence.batch_old is not None and BATCH not in names:
        state = "finite" if math.isfinite(evidence.batch_old) else "not finite either"
        ruled_out = (f"the loss of this batch under the old weights is {state}",)
    return Finding(cause="non-finite values", because=tuple(because), ruled_out=ruled_out)


def came_with_the_batch(evidence: SpikeEvidence) -> bool:
    """Whether gradients are the first that broke, and the probe batch has a finite loss at the same weights."""
    broken = evidence.non_finite[:1]
    finite = evidence.probe_new is not None and math.isfinite(evidence.probe_new) and not evidence.after_spike
    return bool(broken) and broken[0].startswith(GRADIENT) and finite


def _overshot(evidence: SpikeEvidence) -> str:
    ratio, batch = evidence.edge_ratio_probe, evidence.edge_ratio_batch
    where = "on the probe batch"
    if (ratio is None or not math.isfinite(ratio) or ratio < 1) and batch is not None and batch >= 1:
        ratio, where = batch, "on its own batch"
    if ratio is None or not math.isfinite(ratio):
        bend = "" if evidence.bend is None else f", and {evidence.bend:.0%} of the rise is curvature, not slope"
        return f"the update raised the loss of the probe batch from its beginning on{bend}"
    if evidence.updates_between is not None and evidence.updates_between > 1:
        last = f"the last {evidence.updates_between} updates"
        return f"{last} together went {ratio:.2f} times as far as the curvature allows"
    return (
        f"the update before the spike was {ratio:.2f} times as long as the curvature along it allows {where}: "
        f"the loss came back to its old value after {1 / ratio:.2g} of it"
    )


def _raised(evidence: SpikeEvidence) -> tuple[str, ...]:
    """Whether the step size was raised, and enough to explain it."""
    before, at, ratio = evidence.lr_before, evidence.lr_at, evidence.edge_ratio_probe
    if before is None or at is None or not at > before * 1.05:
        return ()
    words = f"the step size had been raised from {before:.3g} to {at:.3g}"
    if ratio is not None and math.isfinite(ratio) and evidence.updates_between == 1 and ratio * before / at < 1:
        words += f"; at {before:.3g} the edge ratio would have been {ratio * before / at:.2f}"
    return (words,)


def _curvature_was_near(evidence: SpikeEvidence) -> tuple[str, ...]:
    last = evidence.edge_ratio_last
    return () if last is None else (f"the last edge ratio read before it was {last:.2f}",)


def _grew_slowly(evidence: SpikeEvidence) -> tuple[str, ...]:
    if evidence.weights_share is None or evidence.after_spike:
        return ()
    return (f"{_probe_share(evidence)}: it grew over several updates",)


def _bad_before(evidence: SpikeEvidence) -> str:
    return (
        f"the batch has a loss of {evidence.batch_old:.4g} under the weights before the update already, "
        f"against {evidence.loss_before:.4g} as usual"
    )


def _batch_was_good(evidence: SpikeEvidence) -> str:
    return f"the batch is not to blame: its loss under the old weights is {evidence.batch_old:.4g}"


def _probe_rose(evidence: SpikeEvidence) -> str:
    return (
        f"the update raised the loss of the probe batch from {evidence.probe_old:.4g} to {evidence.probe_new:.4g}"
    )


def _probe_share(evidence: SpikeEvidence) -> str:
    share = evidence.weights_share
    assert share is not None
    much = "none" if share <= 0 else f"{share:.0%}"
    went = f"the probe batch went from {evidence.probe_old:.4g} to {evidence.probe_new:.4g} in the update"
    return f"{went}, {much} of the rise"


def _how_large(evidence: SpikeEvidence) -> str:
    parts = []
    if evidence.update_rms is not None:
        parts.append(f"{evidence.update_rms:.2g} step sizes a parameter")
    growth = evidence.update_growth
    if growth is not None:
        parts.append(f"{growth:.2g} times the usual length")
    return f": the update was {', '.join(parts)}" if parts else ""


def _memory(beta2: float) -> str:
    return f"{1 / (1 - beta2):.0f} steps" if beta2 < 1 else "all steps"
