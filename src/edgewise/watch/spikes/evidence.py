"""What can be known about a loss spike, as numbers, each of which may be missing."""

import math
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeEvidence:
    """Everything that was measured about a spike at step t; None is what could not be.

    The loss of step t is that of w_t on the batch of step t; the update before it leads from w_{t-1}, the old
    weights, to w_t, the new ones, by a gradient on the batch of step t − 1.

    Attributes:
        step: t, where the spike begins.
        loss_before: the robust level of the losses before it.
        loss_last: the loss of step t − 1; above the level if the spike has been growing.
        loss_at: the loss that began it.
        scales: by how many robust scales that is higher.
        climb: over how many steps the level itself had climbed, in a slow divergence; otherwise None.
        lr_before: the usual step size, the median over the recent past.
        lr_at: that of the update before the spike.
        gradient_norm_before: the usual ‖g‖.
        gradient_norm_at: ‖g‖ of the update before the spike.
        gradient_norm_spike: ‖g‖ of the batch of the spike at the new weights.
        update_norm_before: the usual ‖Δ‖.
        update_norm_at: ‖Δ‖ of the update before the spike.
        update_rms: ‖Δ‖/(η √d), the root mean square of that update in units of the step size.
        probe_old: loss of the probe batch at the old weights.
        probe_new: at the new ones.
        batch_old: loss of the batch of the spike at the old weights.
        batch_new: at the new ones, computed again.
        edge_ratio_probe: 1/s_c along the update on the probe batch: it comes back to its loss at s_c updates.
        edge_ratio_batch: the same on the batch that the update was made of.
        edge_ratio_last: the edge ratio that the watch had read last, before the spike.
        uphill: whether the loss of the probe batch rises from the beginning of the update on.
        bend: what share of its rise along the update is curvature, not slope: 2 (L₁ − 2 L_½ + L₀)/(L₁ − L₀).
        staleness: the largest ‖g‖²/Σν̂ of the last updates before the spike, ν̂ the second moments of an
            Adam-like optimiser.
        beta2: the decay of its second moments.
        updates_between: how many updates lie between the old and the new weights; more than one if not every
            weight was kept.
        after_spike: whether the new weights are those after the spike, as those of its step were not kept: then
            what the probe batch tells of them may be a consequence.
        rewound: whether some of the weights were not kept, but worked back from the optimiser's state.
        non_finite: what is not finite, in the order in which it was looked for: "the batch", then parameters and
            buffers at the new weights, then gradients, by name; those after the step follow as "… after the step".
        overflow: the half-precision type that a parameter, a loss or an activation went beyond.
        skipped: whether the optimiser left the weights as they were, as a loss scaler makes it.
        unmeasured: what could not be measured, and why.
    """

    step: int
    loss_before: float | None = None
    loss_last: float | None = None
    loss_at: float
    scales: float | None = None
    climb: int | None = None
    lr_before: float | None = None
    lr_at: float | None = None
    gradient_norm_before: float | None = None
    gradient_norm_at: float | None = None
    gradient_norm_spike: float | None = None
    update_norm_before: float | None = None
    update_norm_at: float | None = None
    update_rms: float | None = None
    probe_old: float | None = None
    probe_new: float | None = None
    batch_old: float | None = None
    batch_new: float | None = None
    edge_ratio_probe: float | None = None
    edge_ratio_batch: float | None = None
    edge_ratio_last: float | None = None
    uphill: bool | None = None
    bend: float | None = None
    staleness: float | None = None
    beta2: float | None = None
    updates_between: int | None = None
    after_spike: bool = False
    rewound: bool = False
    non_finite: tuple[str, ...] = ()
    overflow: str | None = None
    skipped: bool | None = None
    unmeasured: tuple[str, ...] = ()

    @property
    def loss_expected(self) -> float | None:
        """The loss that step t would have had with nothing new: the level, or the last loss if it was above."""
        last, level = self.loss_last, self.loss_before
        # What had been growing before is in the batch and in the weights alike: shares are of the last rise.
        return level if level is None or last is None or not math.isfinite(last) else max(level, last)

    @property
    def batch_share(self) -> float | None:
        """What share of the rise the batch already had under the old weights; None if not measured."""
        return self._share(self.loss_expected, self.batch_old)

    @property
    def weights_share(self) -> float | None:
        """What share of the rise the update caused on the probe batch; None if not measured."""
        return self._share(self.probe_old, self.probe_new)

    @property
    def update_growth(self) -> float | None:
        """How much larger than usual the update was, in units of the step size."""
        now, usual = _over(self.update_norm_at, self.lr_at), _over(self.update_norm_before, self.lr_before)
        return _over(now, usual)

    def _share(self, old: float | None, new: float | None) -> float | None:
        before, at = self.loss_expected, self.loss_at
        if before is None or old is None or new is None:
            return None
        if not all(map(math.isfinite, (before, at, old, new))) or at <= before:
            return None
        # Factors where losses have them: a batch with ten times the loss feels an update ten times as much.
        if min(before, old, new) > 0:
            return math.log(new / old) / math.log(at / before)
        return (new - old) / (at - before)


def _over(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None or not b > 0 else a / b
