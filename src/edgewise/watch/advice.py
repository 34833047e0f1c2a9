"""Advice: how large the step size may be now, what breaks first, how long to warm up, how to go on after a spike.

Everything rests on one number, the edge ratio of a unit of step size: critical curvatures go with 1/η, so a
reading with edge ratio r at the step size η says that the edge is at η/r. What cannot be told from the readings
is None, with a sentence that says why.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from torch.optim import Optimizer

from edgewise.foundation import ParameterSpace, SettingError, Vector
from edgewise.watch.deciding import DECISIVE, deciding
from edgewise.watch.limits import Limits, limits
from edgewise.watch.losses import Losses
from edgewise.watch.reading import Kind, Reading
from edgewise.watch.slope import Slope, per_unit, readable, slope_of
from edgewise.watch.warmup import warmup

# A kind that has not been read for this share of the run, and for so many steps, says nothing of now.
_STALE, _PATIENCE = 0.2, 50
# Between these shares of the largest step size a run hovers at its edge, as in a verdict.
_AT, _BEYOND = 0.9, 1.25
# After a spike: this share of what the largest curvature around it allows.
_SAFETY = 0.8


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do with the step size; `str()` says it in sentences.

    Attributes:
        lr: the present step size, which the others are to be compared with.
        kind: the reading that it rests on; None if there is none.
        max_lr: the largest stable step size now.
        low: what that is at least.
        high: what it is at most.
        first_to_break: what loses stability first if the step size is raised.
        steps_to_edge: in how many steps the present step size reaches its edge; 0 if it is there.
        warmup_steps: how long a linear warm-up to the full step size this model needs.
        after_spike: a safe step size after the last spike; None without one.
        sentences: all of it in words, and why something cannot be told.
    """

    lr: float
    kind: Kind | None
    max_lr: float | None
    low: float | None
    high: float | None
    first_to_break: str | None
    steps_to_edge: int | None
    warmup_steps: int | None
    after_spike: float | None
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.sentences)


def advise(
    readings: Sequence[Reading],
    losses: Losses,
    spikes: Sequence[int],
    lr: float | int,
    *,
    small_batches: bool = False,
    momentum: float | int = 0.0,
    shares: Mapping[str, float] | None = None,
    full_lr: float | int | None = None,
    every_step: bool = True,
) -> Advice:
    """Advice from numbers: readings, losses and the steps of spikes.

        η_max = η_t / r_t

    for the edge ratio r_t that was read at the step size η_t: the median of the recent readings of the best kind,
    or their straight line at the last of them where they clearly rise or fall (Theil and Sen's slope). Between
    `low` and `high` lie the bounds of the readings and nine tenths of their scatter.

    Readings along one direction leave everything below open, down to the present step size if that has trained
    without a spike; those along an update, which with momentum β is a sum over 1/(1−β) gradients, a factor of
    (1+β)/(1−β) above as well. `max_lr` is then the middle by ratio. By readings of small batches it is no less
    than the present step size, if that has trained without a spike and lies between their bounds.

    Args:
        readings: in order.
        losses: what the training reported.
        spikes: the steps at which the loss had a spike.
        lr: the present step size, as in `Reading.lr`.
        small_batches: whether the training draws batches from more data.
        momentum: β, or Adam's β₁.
        shares: for each parameter its share of the top eigenvector's mass; None if that was not read.
        full_lr: where a warm-up ends; None takes the largest step size seen.
        every_step: whether a spike would have been seen; not where there are only checkpoints.

    Raises:
        SettingError: if the step size is negative or not finite, or the momentum not in [0, 1).

    Example:
        >>> from edgewise.watch import Losses, Reading
        >>> row = Reading(step=9, kind="effective sharpness", value=50.0, low=49.0, high=51.0, critical=200.0,
        ...               lr=0.01, passes=30, seconds=0.1)
        >>> advise([row], Losses(), [], 0.01).max_lr
        0.04

    References:
        cohen2021gradient, cohen2022adaptive, andreyev2024edge
    """
    _check(lr, momentum)
    lr, beta = float(lr), float(momentum)
    rows = [row for row in readings if row.kind in DECISIVE and readable(row)]
    kind = _best(rows)
    bad = losses.not_finite
    trouble = () if bad is None else (f"The loss is not finite at step {bad}.",)
    if kind is None:
        return Advice(
            lr=lr, kind=None, max_lr=None, low=None, high=None, first_to_break=None, steps_to_edge=None,
            warmup_steps=None, after_spike=None, sentences=(*trouble, _nothing(readings)),
        )  # fmt: skip
    own = [row for row in rows if row.kind == kind]
    since = max((step for step in spikes if step <= own[-1].step), default=-1)
    slope = slope_of([row for row in own if row.step > since] or own[-1:])
    blown_up = bad is not None or losses.blown_up
    quiet = every_step and not blown_up and not any(step >= slope.first for step in spikes)
    found = limits(slope, kind, lr, beta, small_batches=small_batches, quiet=quiet, blown_up=blown_up)
    age = max(0, int(losses.step[-1]) - slope.last) if len(losses) else 0
    old = _old(age, slope.last)
    steps, when = _edge(slope, lr, found, age)
    first, breaks = _first(own[-1], rows, shares)
    full = float(full_lr) if full_lr is not None else max(lr, *(row.lr for row in rows))
    needed, ramp = warmup(rows, [kind, *DECISIVE], full)
    after, safe = _after(own, spikes, lr)
    return Advice(
        lr=lr, kind=kind, max_lr=found.max_lr, low=found.low, high=found.high, first_to_break=first,
        steps_to_edge=steps, warmup_steps=needed, after_spike=after,
        sentences=(*trouble, found.sentence, *old, *found.doubts, when, breaks, ramp, *safe),
    )  # fmt: skip


def _best(rows: Sequence[Reading]) -> Kind | None:
    """The kind that decides, of those that have been read of late."""
    newest = max((row.step for row in rows), default=0)
    alive = {row.kind for row in rows if newest - row.step <= max(_PATIENCE, _STALE * newest)}
    decisive = deciding([row for row in rows if row.kind in alive])
    return decisive[-1].kind if decisive else None


def _nothing(readings: Sequence[Reading]) -> str:
    """What to say where no edge can be told."""
    compared = [row for row in readings if row.ratio is not None and row.kind != "secant curvature"]
    if not compared:
        why = (
            "no curvature has been read yet that has a critical value. Watch more steps, or allow a larger budget."
        )
    elif (last := compared[-1]).lr == 0:
        why = f"at step {last.step} the step size was zero, and what does not move has no edge."
    else:
        why = (
            f"the {last.kind} of step {last.step} is {last.value:.3g}, "
            "and only a curvature that is positive and finite has an edge."
        )
    return f"Cannot tell how large the step size may be: {why}"


def _old(age: int, step: int) -> tuple[str, ...]:
    """A sentence, if the newest reading may say nothing of now."""
    if age <= max(_PATIENCE, _STALE * (step + age)):
        return ()
    return (f"That was {age} steps ago and may no longer hold: nothing better has been read since.",)


def _edge(slope: Slope, lr: float, found: Limits, age: int) -> tuple[int | None, str]:
    """When the present step size meets the edge."""
    if lr == 0:
        return None, "The present step size is zero: nothing moves."
    # The readings are measured against a line that momentum may have moved: by this factor.
    moved = 1.0 / (found.max_lr * slope.now)
    if lr >= _AT * found.max_lr:
        word = "at" if lr <= max(found.high, _BEYOND * found.max_lr) else "beyond"
        return 0, f"The present step size is {word} its edge already."
    if not slope.rising:
        return (
            None,
            "At the present step size nothing is on its way to the edge: the curvature does not clearly rise.",
        )
    gap = 1.0 / (lr * moved) - slope.now
    # The readings are of `age` steps ago.
    steps = max(1, round(gap / slope.rate) - age)
    earliest, latest = (max(1, math.ceil(gap / rate) - age) for rate in (slope.rate_high, slope.rate_low))
    return steps, (
        f"The curvature rises, so this bound falls, by about {slope.per_hundred:.0%} in 100 steps: at this rate "
        f"the present step size reaches its edge in about {steps} steps ({earliest} to {latest})."
    )


def _first(row: Reading, rows: Sequence[Reading], shares: Mapping[str, float] | None) -> tuple[str, str]:
    """The parameter that most of the top eigenvector lies in, or else the reading nearest to its line."""
    if shares:
        name, share = max(shares.items(), key=lambda item: item[1])
        first = f"{name} ({share:.0%} of the top eigenvector)"
        return first, f"What breaks first if it is raised: {first}."
    latest = {other.kind: other for other in rows if row.step - other.step <= _PATIENCE}
    nearest = max(latest.values(), key=lambda other: other.ratio or 0.0)
    first = f"{nearest.kind} ({nearest.ratio:.2g} of its critical value)"
    return (
        first,
        f"What breaks first if it is raised cannot be told by parameter yet; nearest to its line is {first}.",
    )


def _after(rows: Sequence[Reading], spikes: Sequence[int], lr: float) -> tuple[float | None, tuple[str, ...]]:
    """A step size that is safe for the largest curvature around the last spike."""
    if not spikes or lr == 0:
        return None, ()
    spike = max(spikes)
    before = [per_unit(row) for row in rows if row.step < spike][-1:]
    behind = [per_unit(row) for row in rows if row.step >= spike]
    around = [*before, *([float(np.median(behind))] if behind else [])]
    if not around:
        return None, (
            f"No step size can be called safe after the spike at step {spike}: nothing was read around it.",
        )
    safe = min(lr, _SAFETY / max(around))
    if safe == lr:
        return safe, (f"After the spike at step {spike} the present step size is safe: it need not be lowered.",)
    words = f"{_SAFETY:g} of what the largest curvature around it allows"
    return safe, (f"After the spike at step {spike} a step size of {safe:.3g} is safe, {words}.",)


def eigenvector_shares(vector: Vector, space: ParameterSpace) -> dict[str, float]:
    """Of the mass of a vector, the share in each parameter.

        ‖u_i‖² / ‖u‖²

    Args:
        vector: u, such as the top eigenvector of the effective Hessian.
        space: the names of its entries.
    """
    masses = {name: float(tensor.double().square().sum()) for name, tensor in space.unflatten(vector).items()}
    total = sum(masses.values())
    return {name: mass / total for name, mass in masses.items()}


def momentum_of(optimizer: Optimizer) -> float:
    """β of the first param group, or Adam's β₁; 0 for an optimiser that has none."""
    group = optimizer.param_groups[0]
    return float(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))


def _check(lr: float | int, momentum: float | int) -> None:
    if not 0 <= lr < math.inf:
        raise SettingError(
            f"lr={lr}", "a step size is a number that is not negative", "Type lr=optimizer.param_groups[0]['lr']"
        )
    if not 0 <= momentum < 1:
        raise SettingError(f"momentum={momentum}", "it is in [0, 1)", "Type momentum=0.9")
