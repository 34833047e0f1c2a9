"""Between what the largest stable step size lies, with what the readings leave open."""

import math
from dataclasses import dataclass
from typing import final

from edgewise.watch.deciding import OF_BATCHES, ONE_DIRECTION
from edgewise.watch.reading import Kind
from edgewise.watch.slope import Slope

# Bounds that are further apart than this are said before what lies between them.
_VAGUE = 10.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest stable step size.

    Attributes:
        max_lr: the estimate.
        low: what it is at least.
        high: what it is at most.
        sentence: all of that in words.
        doubts: why it is no better known, a sentence each.
    """

    max_lr: float
    low: float
    high: float
    sentence: str
    doubts: tuple[str, ...]


def limits(
    slope: Slope, kind: Kind, lr: float, momentum: float, *, small_batches: bool, quiet: bool, blown_up: bool
) -> Limits:
    """The limits that readings of one kind set.

    Args:
        slope: the line through them.
        kind: what was read.
        lr: the present step size.
        momentum: β; along an update the line is known for two ends only with it.
        small_batches: whether the training draws batches from more data.
        quiet: whether the training had no spike since the first of the readings.
        blown_up: whether the loss is well above where the training began.
    """
    upper, doubts = 1.0, []
    if momentum and kind == "critical sharpness":
        upper = (1.0 + momentum) / (1.0 - momentum)
        doubts.append(
            f"It is read along updates, which with momentum {momentum:g} sum over {1 / (1 - momentum):.3g} "
            f"gradients: the edge lies anywhere up to {upper:.3g} times what they say."
        )
    if kind in ONE_DIRECTION:
        doubts.append("It looks in one direction only, so that the bound is a ceiling: another may be sharper.")
    elif kind == "batch sharpness":
        doubts.append("It looks along gradients only, which far below the edge may miss what is sharper.")
    elif kind == "effective sharpness" and small_batches:
        doubts.append(
            "Small batches lose stability before it does: it is a ceiling. "
            "A probe batch of several of them tells more."
        )
    low, high = 1.0 / slope.high, upper / slope.low if slope.low > 0 else math.inf
    best = 1.0 / slope.now
    # How much of the noise of batches counts is an estimate, which what has trained may refute.
    trained = quiet and slope.lr <= high and (kind in ONE_DIRECTION or (kind in OF_BATCHES and slope.lr > best))
    if trained:
        low = slope.lr
        doubts.append(f"A step size of {low:.3g} has trained without a spike: the lower bound rests on that.")
    if kind in ONE_DIRECTION:
        # In the middle, by ratio, of what is left open.
        best = math.sqrt(low * high) if low > 0 and high < math.inf else best
    elif trained:
        best = low
    if blown_up and 0 < lr < high:
        high, low = lr, min(low, lr)
        best = min(best, math.sqrt(low * high))
        doubts.append("The loss has blown up at the present step size: the upper bound rests on that.")
    times = f"{best / lr:.3g} times the present {lr:.3g}, " if lr else ""
    where = f"{times}by {kind} at step {slope.last}."
    if high > _VAGUE * low:
        known = (
            f"lies between {low:.3g} and {high:.3g}, more is not known; the guess is {best:.3g}, {where} "
            "Go up in small steps, and ask again."
        )
    else:
        known = f"is about {best:.3g} (between {low:.3g} and {high:.3g}), {where}"
    sentence = f"The largest stable step size now {known}"
    return Limits(max_lr=best, low=low, high=high, sentence=sentence, doubts=tuple(doubts))
