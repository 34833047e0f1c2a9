"""Step after step: how long, with what spectral radius, and whether to believe it.

A step is as long as its error estimate allows; the tracked curvature decides only how many stages that takes. The
curvature is measured again every dozen gradients and taken with a margin. Where that was not enough, the step is
unstable, its error estimate is large, and it is tried again, shorter and with a larger margin.

Where the velocity jumps by J there are no derivatives for the estimate to be made of. What it says there is a
fraction of h J, and that is how far off the step is: the solution bends at some time within it, or slides along
the jump, from which the step strays to either side. So the estimate is to be believed there too, however short of
1/S its steps are; steps of 1/S, though the stages see nothing stiff, would err by a fraction of J/S.
"""

import math
from dataclasses import replace

import torch

from edgewise.curvature import Tracker, TrackerState
from edgewise.flows.cost import Cost
from edgewise.flows.integrators.integrator import Integrator, Place, Trial, VectorField
from edgewise.flows.integrators.stride import Stride
from edgewise.foundation import FlowError, Vector

_SHORTEST = 0.1  # how much shorter the next step may be
_AIM = 0.8  # of the step that would just be accepted
_MARGIN = 1.08  # on the measured spectral radius, which grows until it is measured again
_ATTEMPTS = 40

# The bound is added to the value, so a loose one does: it costs a stage where a tight one costs products.
_TRACKER = Tracker(k=1, rtol=0.1, guards=0)


def begin(field: VectorField, y: Vector, integrator: Integrator, rtol: float, seed: int) -> Stride:
    """A stride of no length at time zero.

    Args:
        field: f.
        y: where it starts.
        integrator: who is going to take the steps.
        rtol: as in `march`.
        seed: of the directions in which curvature is first looked for.
    """
    place = field.at(y, curvature=True)
    rate, tracker, cost = _read(place, _TRACKER.init(seed))
    return Stride(
        start=0.0,
        end=0.0,
        y0=y,
        y1=y,
        f0=place.velocity,
        f1=place.velocity,
        memory=None,
        rate=rate,
        unread=0,
        # Relative to the path, the error of the first step is about (h S)².
        length=math.sqrt(rtol) / rate if rate > 0.0 else 1.0,
        error=1.0,
        travelled=0.0,
        steps=0,
        rejected=0,
        tracker=tracker,
        cost=cost + Cost(gradients=field.gradients),
    )


def resume(field: VectorField, before: Stride, time: float) -> Stride:
    """A stride of no length at a time within another, where the field has changed.

    Args:
        field: the new f.
        before: the stride of the old one.
        time: when.
    """
    y = before.at(time)
    place = field.at(y, curvature=True)
    rate, tracker, paid = _read(place, before.tracker)
    return replace(
        before,
        start=time,
        end=time,
        y0=y,
        y1=y,
        f0=place.velocity,
        f1=place.velocity,
        memory=None,
        rate=rate,
        unread=0,
        length=min(before.length, 1.0 / rate) if rate > 0.0 else before.length,
        tracker=tracker,
        cost=before.cost + paid + Cost(gradients=field.gradients),
    )


def march(field: VectorField, before: Stride, integrator: Integrator, rtol: float, atol: float) -> Stride:
    """The next step: accepted once its estimated error is within atol, or rtol of the path travelled so far.

    Args:
        field: f.
        before: the step before.
        integrator: who takes it.
        rtol: the local error, relative to the length of the path.
        atol: the local error that is always small enough.

    Raises:
        FlowError: if no step is short enough.
    """
    y, f = before.y1, before.f1
    h, rate, cost = before.length, _MARGIN * before.rate, before.cost
    least = max(atol, 4.0 * torch.finfo(y.dtype).eps * field.length(y))
    for attempt in range(_ATTEMPTS):  # noqa: B007  (counted after the loop)
        h = min(h, integrator.longest(rate))
        ratio = h / (before.end - before.start) if before.memory is not None else 1.0
        trial = integrator.step(field, y, f, h, rate, before.memory, ratio)
        cost += Cost(gradients=trial.evaluations * field.gradients)
        travelled = before.travelled + field.length(trial.displacement)
        error = _error(field, trial, max(least, rtol * travelled))
        if error <= 1.0:
            break
        h *= max(_SHORTEST, _AIM * error ** (-1.0 / trial.error_order))
        rate *= 1.2
    else:
        raise FlowError(
            f"the flow at time {before.end:.6g}",
            f"no step is short enough: after {_ATTEMPTS} attempts even one of {h:.1g} is not, because the "
            "velocity jumps there or is not finite",
            "Type rtol=1e-2, or end the run before that time",
        )
    # The first error after a step in vain says nothing about the trend.
    growth = _growth(trial.error_order, error, before, h, trend=before.end > before.start and attempt == 0)
    unread = before.unread + trial.evaluations
    stride = replace(
        before,
        start=before.end,
        end=before.end + h,
        y0=y,
        y1=y + trial.displacement,
        f0=f,
        f1=trial.end.velocity,
        memory=trial.memory,
        unread=unread,
        length=h * min(integrator.fastest, max(_SHORTEST, growth)),
        error=error,
        travelled=travelled,
        steps=before.steps + 1,
        rejected=before.rejected + attempt,
        cost=cost,
    )
    if unread < integrator.reading_every:
        return stride
    rate, tracker, paid = _read(trial.end, before.tracker)
    return replace(stride, rate=rate, tracker=tracker, unread=0, cost=cost + paid)


def _error(field: VectorField, trial: Trial, allowed: float) -> float:
    """The estimated error in units of what is allowed; infinity where something is not finite."""
    error = field.length(trial.error) if trial.error is not None else 0.0
    if not (math.isfinite(error) and math.isfinite(field.length(trial.end.velocity))):
        return math.inf
    return error / allowed if error > 0.0 else 0.0


def _growth(order: int, error: float, before: Stride, h: float, *, trend: bool) -> float:
    """How much longer the next step may be: from this error and, where there is one, from its trend."""
    if error == 0.0:
        return math.inf
    factor = error ** (-1.0 / order)
    if trend and before.error > 0.0:
        factor *= min(1.0, (before.error / error) ** (1.0 / order) * h / (before.end - before.start))
    return _AIM * factor


def _read(place: Place, tracker: TrackerState) -> tuple[float, TrackerState, Cost]:
    """A bound of the spectral radius, and what that took."""
    velocity = place.velocity[: place.curvature.size]
    pairs, tracker = _TRACKER.read(place.curvature, tracker, directions=[velocity])
    # Where every eigenvalue is negative nothing is stiff, and the modulus only gives a time scale.
    rate = place.rate(abs(float(pairs.values[0])) + float(pairs.bounds[0]))
    return rate, tracker, Cost(products=pairs.products)
