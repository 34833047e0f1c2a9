"""What to do about a spike of a known cause: sentences with numbers in them."""

import math

from edgewise.watch.spikes.causes import BATCH, Cause, came_with_the_batch
from edgewise.watch.spikes.evidence import SpikeEvidence

# What is left of the largest stable step size to be used: training moves on, and takes the edge with it.
_ROOM = 0.7
# Wortsman et al. (2023) train with 0.95 to 0.99 where 0.999 spikes.
_RESPONSIVE = 0.95


def remedies(cause: Cause, evidence: SpikeEvidence) -> tuple[str, ...]:
    """What to do about a spike, the first thing first.

    Args:
        cause: as `cause_of` found it.
        evidence: what was measured.

    References:
        wortsman2023stable
    """
    match cause:
        case "curvature":
            return (_lower(evidence), "If the loss does not come back, go on from the last checkpoint before it")
        case "bad batch":
            return (
                f"Look at the batch of step {evidence.step}, and leave it out",
                f"Clip the gradient{_at_norm(evidence)}, so that a single batch cannot move the weights far",
            )
        case "stale second moments":
            now = "" if evidence.beta2 is None else f" from {evidence.beta2:g}"
            lower = f"Lower β2{now} to {_RESPONSIVE}, so that the second moments follow the gradient in 20 steps"
            clip = f"Clip the gradient{_at_norm(evidence)}, or the update at one step size a parameter"
            keep = evidence.beta2 is not None and evidence.beta2 <= _RESPONSIVE
            return (clip, "Look for what made the gradient grow at once") if keep else (lower, clip)
        case "non-finite values":
            return _finite_again(evidence)
        case _:
            return _to_know_more(evidence)


def safe_step_size(evidence: SpikeEvidence) -> float | None:
    """A step size at which the update before the spike would not have overshot: 0.7 η s_c.

    Args:
        evidence: what was measured; None is returned if it holds no finite edge ratio of a single update.
    """
    ratios = [r for r in (evidence.edge_ratio_probe, evidence.edge_ratio_batch) if r is not None]
    finite = [ratio for ratio in ratios if math.isfinite(ratio) and ratio > 0]
    if evidence.lr_at is None or evidence.updates_between != 1 or not finite:
        return None
    return _ROOM * evidence.lr_at / max(finite)


def _lower(evidence: SpikeEvidence) -> str:
    at, safe = evidence.lr_at, safe_step_size(evidence)
    if at is not None and safe is not None and safe < at:
        return f"Lower the step size from {at:.3g} to {safe:.2g} or less, or come back to {at:.3g} by a warm-up"
    return "Lower the step size, or warm it up more slowly"


def _at_norm(evidence: SpikeEvidence) -> str:
    usual = evidence.gradient_norm_before
    return "" if usual is None or not usual > 0 else f" at a norm of {2 * usual:.2g}, twice the usual one"


def _finite_again(evidence: SpikeEvidence) -> tuple[str, ...]:
    if evidence.non_finite[:1] == (BATCH,) or came_with_the_batch(evidence):
        first = f"Look at the batch of step {evidence.step} and leave it out; check the data with torch.isfinite"
    elif evidence.overflow == "float16":
        first = "Train in bfloat16, or keep the parameters in float32 under autocast with a GradScaler"
    else:
        first = "Type torch.autograd.set_detect_anomaly(True) and repeat the step, to see where it begins"
    if evidence.skipped:
        return (first, "The weights were not touched: training may go on")
    return (first, f"Go on from the last checkpoint before step {evidence.step}, without this batch")


def _to_know_more(evidence: SpikeEvidence) -> tuple[str, ...]:
    if evidence.batch_old is None:
        return ("Type watch.step(loss, batch=batch), so that the next report can tell the batch from the weights",)
    return ("Take a larger probe batch, so that it feels what the training batches feel",)
