"""What can be read of a training run, from what is free to what is dear.

Those that only look at what lies around are free; the critical sharpness takes forward passes; curvature along the
gradient one Hessian-vector product; the effective sharpness a few.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from edgewise.curvature import EffectiveHessian, Hessian, Tracker, TrackerState, critical_step
from edgewise.foundation import Vector, generator
from edgewise.linalg import Eigenpairs
from edgewise.methods import CriticalLine
from edgewise.objectives import Point
from edgewise.watch.advice import eigenvector_shares
from edgewise.watch.batches import edge_ratios, half_width
from edgewise.watch.instrument import Instrument, Moment
from edgewise.watch.reading import Kind, Reading

_GRADIENT_PASSES = 3.0
_PRODUCT_PASSES = 6.0


@final
class Norms(Instrument):
    """The lengths of the update and the gradient, and the secant curvature of two successive gradients.

        κ = Δᵀ(g_{t+1} − g_t)/‖Δ‖²,    Δ = w_{t+1} − w_t

    The loss falls along Δ as long as κ < −2 gᵀΔ/‖Δ‖², which is 2/η for gradient descent. With mini-batches the two
    gradients are of different samples, and κ mostly says how much those differ.
    """

    weight, passes, wants_before = 0.0, 0.5, True

    def __init__(self) -> None:
        self._earlier: tuple[int, Vector, Vector] | None = None

    def read(self, moment: Moment) -> list[Reading]:
        """‖Δ‖ and ‖g‖."""
        clock = time.perf_counter()
        assert moment.before is not None  # wants_before
        norm = moment.live.shards.norm
        update = moment.live.flat(torch._foreach_sub(moment.live.snapshot(), moment.before))
        readings = [_plain("update norm", norm(update), moment, clock)]
        gradient = self._gradient(moment)
        if gradient is not None:
            readings.append(_plain("gradient norm", norm(gradient), moment, clock))
            self._earlier = (moment.step, update, gradient)
        return readings

    def follow(self, moment: Moment) -> list[Reading]:
        """The secant curvature, once the next gradient is there."""
        clock = time.perf_counter()
        earlier, self._earlier = self._earlier, None
        gradient = None if earlier is None else self._gradient(moment)
        if earlier is None or gradient is None:
            return []
        step, update, before = earlier
        dot = moment.live.shards.dot
        square, slope = dot(update, update), dot(before, update)
        if square == 0.0:
            return []
        value = dot(gradient - before, update) / square
        critical = -2.0 * slope / square if slope < 0 else None
        return [
            Reading(
                step=step, kind="secant curvature", value=value, low=-math.inf, high=math.inf,
                critical=critical, lr=moment.lr, passes=0.0, seconds=time.perf_counter() - clock,
            )
        ]  # fmt: skip

    def _gradient(self, moment: Moment) -> Vector | None:
        if all(g is None for g in moment.gradients):
            return None
        gradient = moment.live.flat(moment.gradients)
        # Zeros are what zero_grad(set_to_none=False) leaves.
        return gradient if moment.live.agreement.anywhere(bool(gradient.any())) else None


@final
class CriticalSharpness(Instrument):
    """2/η_c, with η_c the step along the real update at which the loss comes back to its value before it.

    In multiples s of the update the edge ratio is 1/s_c, for every optimiser: at the edge the update takes the
    iterate to the other side of its valley, whatever momentum and preconditioner have to do with it.

    References:
        critical2026sharpness
    """

    weight, passes, wants_before = 0.4, 7.0, True

    def __init__(self) -> None:
        self._guess = 2.0

    def read(self, moment: Moment) -> list[Reading]:
        """λ_c between its brackets."""
        clock = time.perf_counter()
        live, before = moment.live, moment.before
        assert before is not None  # wants_before
        after = live.snapshot()
        moved = any(bool((a != b).any()) for a, b in zip(after, before, strict=True))
        if moment.lr == 0 or not live.agreement.anywhere(moved):
            return []
        with live.between(before, after, moment.batch) as loss:
            present = loss(0.0)
            _refuse_overflow(present)
            noise = live.rounding * abs(present)
            found = critical_step(loss, present, guess=self._guess, rtol=0.1, passes=10, noise=noise)
        if 0 < found.step < math.inf:
            self._guess = min(max(found.step, 2.0**-6), 2.0**6)
        low, high = found.bounds
        return [
            Reading(
                step=moment.step, kind="critical sharpness", value=found.sharpness / moment.lr,
                low=low / moment.lr, high=high / moment.lr, critical=2.0 / moment.lr, lr=moment.lr,
                passes=found.passes + 1.0, seconds=time.perf_counter() - clock,
            )
        ]  # fmt: skip


@final
class GradientCurvature(Instrument):
    """Curvature along the gradient, in the metric of the optimiser; over batches of the training's size.

        κ = gᵀP⁻¹HP⁻¹g / gᵀP⁻¹g

    with g and H of the same batch. If the probe batch is known to hold several of those of the training, the mean
    of κ over these is the batch sharpness. How much of it batches agree on, κ with the Hessian of another
    batch ÷ κ, says where it loses stability in mean square: between 2(1−β)/η for none and 2(1+β)/η for all, with
    momentum β. With a P made of gradients it is not known how much of the noise counts: it is compared with the
    middle by ratio.

    Args:
        seed: of the batches.

    References:
        andreyev2024edge, andreyev2026momentum, cohen2022adaptive
    """

    weight, passes, wants_before = 0.17, 12.0, False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def read(self, moment: Moment) -> list[Reading]:
        """The mean with its 95 % interval."""
        clock = time.perf_counter()
        line = moment.line()
        batches = moment.batches(self._seed)
        same, other, norms, before = [], [], [], None
        pieces: Sequence[Tensor | None] = batches or [None]
        for indices in pieces:
            with moment.live.point(indices, line.kept) as point:
                _refuse_overflow(float(point.value))
                hessian, direction = line.seen(Hessian.at(point)), _along(point, line)
                norms.append(float(point.gradient.norm()))
                if before is not None:
                    other.append(float(before @ (hessian @ before)))
                if direction is not None:
                    same.append(float(direction @ (hessian @ direction)))
                before = direction
        line = moment.clipped(line, norms)
        if not same:
            return []
        mean, half, critical = float(np.mean(same)), 0.0, line.critical_curvature
        kind: Kind = "gradient curvature"
        if batches:
            kind, half = "batch sharpness", half_width(same)
            _, ratio, _ = edge_ratios(line, mean, float(np.mean(other)) if other else 0.0)
            critical = mean / ratio if ratio > 0 else line.critical_curvature
        samples = sum(map(len, batches)) / moment.live.samples if batches else 1.0
        products = 1.0 + len(other) / len(same)
        return [
            Reading(
                step=moment.step, kind=kind, value=mean, low=mean - half, high=mean + half,
                critical=critical, lr=moment.lr,
                passes=samples * (_GRADIENT_PASSES + products * _PRODUCT_PASSES),
                seconds=time.perf_counter() - clock,
            )
        ]  # fmt: skip


@final
class EffectiveSharpness(Instrument):
    """The largest eigenvalue of P^(-1/2) H P^(-1/2) on the probe batch, followed from one reading to the next.

    The first reading starts from the gradient, which at the edge lies along the sharpest direction, and searches
    from a random direction beside it: a gradient may be blind to the sharpest one.

    If the probe batch is known to hold several batches of the training, their Hessians H_B are applied to the
    eigenvector u. A displacement along u is squared by a step without momentum to

        E‖(1 − η P^(-1/2) H_B P^(-1/2)) u‖² = 1 − 2ηλ + η² E‖P^(-1/2) H_B P^(-1/2) u‖²

    of what it was, and shrinks in mean square while E‖P^(-1/2) H_B P^(-1/2) u‖²/λ, which is λ where all batches
    agree, is below 2/η. Momentum makes noise worse: the mean-square sharpness is the sharpness that would be as
    near to its edge if all batches agreed, and is compared with the same critical curvature. With a P made of
    gradients it is the middle, by ratio, between that and λ.

    Args:
        seed: of the start, and of the batches.

    Attributes:
        shares: of the last eigenvector, the share of its mass in each parameter; None before the first reading.

    References:
        cohen2021gradient, cohen2022adaptive, wu2018how, andreyev2026momentum
    """

    weight, passes, wants_before = 0.4, 30.0, False
    _tracker = Tracker(k=1, rtol=0.05)

    def __init__(self, seed: int) -> None:
        self.shares: Mapping[str, float] | None = None
        self._state: TrackerState | None = None
        self._kept: tuple[int, ...] = ()
        self._seed = seed

    def read(self, moment: Moment) -> list[Reading]:
        """The Ritz value, which the eigenvalue exceeds by its bound at most; and what batches make of it."""
        clock = time.perf_counter()
        line = moment.line()
        with moment.live.point(kept=line.kept) as point:
            _refuse_overflow(float(point.value))
            effective = EffectiveHessian(line.seen(Hessian.at(point)), line.preconditioner)
            if self._state is None or self._kept != line.kept:
                self._state = self._start(line.preconditioner.power(-0.5) @ point.gradient)
            pairs, self._state = self._tracker.read(effective, self._state)
            norm = float(point.gradient.norm())
        self._kept = line.kept
        self.shares = eigenvector_shares(pairs.vectors[:, 0], moment.live.part(line.kept))
        return of_eigenpair(pairs, norm, line, moment, self._seed, clock)

    def _start(self, direction: Vector) -> TrackerState:
        numbers = generator(self._seed, "start")
        aside = torch.randn(direction.shape[0], 1, generator=numbers, dtype=direction.dtype).to(direction)
        block = torch.linalg.qr(torch.cat([direction[:, None], aside], 1)).Q
        # At its zeroth reading the tracker searches from a fresh direction too.
        return TrackerState(blocks=(block,), reaches=(None,), followed=1, readings=0, seed=self._seed)


def of_eigenpair(
    pairs: Eigenpairs, norm: float, line: CriticalLine, moment: Moment, seed: int, clock: float
) -> list[Reading]:
    """The effective sharpness, and the mean-square sharpness where the probe batch holds several batches.

    Args:
        pairs: λ and u of P^(-1/2) H P^(-1/2) on the probe batch.
        norm: of the gradient there.
        line: of the optimiser.
        moment: at which they were read.
        seed: of the batches.
        clock: when the reading began.
    """
    u, value, bound = pairs.vectors[:, 0], float(pairs.values[0]), float(pairs.bounds[0])
    seconds, batches, squares, norms = time.perf_counter() - clock, moment.batches(seed), [], []
    for indices in batches:
        with moment.live.point(indices, line.kept) as point:
            product = EffectiveHessian(line.seen(Hessian.at(point)), line.preconditioner) @ u
            squares.append(float(product @ product))
            norms.append(float(point.gradient.norm()))
    line = moment.clipped(line, norms or [norm])
    reading = Reading(
        step=moment.step, kind="effective sharpness", value=value, low=value, high=value + bound,
        critical=line.critical_curvature, lr=moment.lr,
        passes=_GRADIENT_PASSES + _PRODUCT_PASSES * pairs.products, seconds=seconds,
    )  # fmt: skip
    if not squares or value <= 0 or math.isinf(line.critical_curvature):
        return [reading]
    # What batches agree on is in each of them: E‖H_B u‖² ≥ ‖Hu‖².
    mean, half, least = float(np.mean(squares)), half_width(squares), value**2
    lowest, middle, highest = (
        edge_ratios(line, max(square, least) / value, value) for square in (mean - half, mean, mean + half)
    )
    samples = sum(map(len, batches)) / moment.live.samples
    in_mean_square = Reading(
        step=moment.step, kind="mean-square sharpness", value=line.critical_curvature * middle[1],
        low=line.critical_curvature * lowest[0], high=line.critical_curvature * highest[2],
        critical=line.critical_curvature, lr=moment.lr, passes=samples * (_GRADIENT_PASSES + _PRODUCT_PASSES),
        seconds=time.perf_counter() - clock - seconds,
    )  # fmt: skip
    return [reading, in_mean_square]


def _along(point: Point, line: CriticalLine) -> Vector | None:
    """P⁻¹g/√(gᵀP⁻¹g); None where there is no gradient."""
    g = point.gradient
    direction = line.preconditioner.power(-1.0) @ g
    square = float(direction @ g)
    return direction / math.sqrt(square) if math.isfinite(square) and square > 0 else None


def _refuse_overflow(loss: float) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError("the loss of the batch that curvature is read on is not finite")


def _plain(kind: Kind, value: float, moment: Moment, clock: float) -> Reading:
    return Reading(
        step=moment.step, kind=kind, value=value, low=value, high=value, critical=None, lr=moment.lr, passes=0.0,
        seconds=time.perf_counter() - clock,
    )  # fmt: skip
