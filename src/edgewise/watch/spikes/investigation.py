"""The last update before a spike, replayed: what can be measured of it, and what that says."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

import torch
from torch.optim import Optimizer

from edgewise.curvature import critical_step
from edgewise.foundation import first_line
from edgewise.objectives import fixed_data
from edgewise.watch.live import LiveLoss, Weights
from edgewise.watch.spikes.causes import BATCH, GRADIENT, cause_of
from edgewise.watch.spikes.detector import Spike
from edgewise.watch.spikes.evidence import SpikeEvidence
from edgewise.watch.spikes.finiteness import exceeded, first_layer, is_finite, non_finite
from edgewise.watch.spikes.history import SpikeHistory
from edgewise.watch.spikes.recorder import Number, Recorder, number_of
from edgewise.watch.spikes.remedies import remedies
from edgewise.watch.spikes.report import SpikeReport
from edgewise.watch.spikes.rewind import rewind
from edgewise.watch.spikes.second_moments import second_moments, staleness

_T = TypeVar("_T")

# The update is drawn as far as twice its length; most often the search for s_c looks at nearer points too.
_PROFILE = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def investigate(
    recorder: Recorder,
    live: LiveLoss,
    optimizer: Optimizer,
    spike: Spike,
    *,
    batch: Any = None,
    gradient_norm: Number = None,
    lr: float | int | None = None,
    last_edge_ratio: float | int | None = None,
) -> SpikeReport:
    """What caused a spike, replayed from what was kept; the training is left as it is, bit by bit.

    To be called in the step at which the spike begins, or a few steps later, after the optimiser's step and before
    `recorder.keep`. It costs about thirty forward passes, once a spike. What cannot be measured is None in the
    evidence, which says why.

    Args:
        recorder: holds w_{t-1} and w_t, and the batch of step t − 1.
        live: the loss of the live model, which has w_{t+1}.
        optimizer: after its step.
        spike: as the detector has it.
        batch: of the step of the spike; None looks for it in the recorder.
        gradient_norm: of the present gradient.
        lr: the step size now, for the history.
        last_edge_ratio: the last one read before the spike.
    """
    return _Investigation(recorder, live, optimizer, spike, batch, number_of(gradient_norm)).report(
        None if lr is None else float(lr), None if last_edge_ratio is None else float(last_edge_ratio)
    )


@final
@dataclass(frozen=True, slots=True)
class _Pair:
    """The weights before and after the update that is suspected; None if not kept."""

    old: Weights | None
    new: Weights | None
    updates: int | None
    after_spike: bool


@final
class _Investigation:
    def __init__(
        self,
        recorder: Recorder,
        live: LiveLoss,
        optimizer: Optimizer,
        spike: Spike,
        batch: Any,
        gradient_norm: float | None,
    ) -> None:
        self.recorder, self.live, self.optimizer = recorder, live, optimizer
        self.spike, self.gradient_norm = spike, gradient_norm
        self.batch = batch if batch is not None else recorder.batch(spike.step)
        kept = recorder.kept
        # How many steps have been taken since that of the spike, whose loss may have come late.
        self.late = max(0, kept[-1].step + 1 - spike.step) if kept else 0
        self.unmeasured: list[str] = []
        self.profile: dict[float, float] = {}
        self.rewound = False

    def report(self, lr: float | None, last_edge_ratio: float | None) -> SpikeReport:
        spike, step = self.spike, self.spike.step
        before = self.recorder.at(step - 1)
        pair = _Pair(None, None, None, False)
        if self.live.shards:
            self.unmeasured.append(
                "anything but losses and step sizes: the model is sharded, and a replay in the process that "
                "saw the spike would wait for the others"
            )
        else:
            pair = self._try("the update before it", self._pair) or pair
        evidence = SpikeEvidence(
            step=step,
            loss_before=spike.level if spike.level is not None else self.recorder.usual("loss", step),
            loss_last=None if before is None else float(before.loss),
            loss_at=spike.loss,
            scales=spike.scales,
            climb=spike.climb,
            lr_before=self.recorder.usual("lr", step - 1),
            lr_at=None if before is None else before.lr,
            gradient_norm_before=self.recorder.usual("gradient_norm", step - 1),
            gradient_norm_at=None if before is None else number_of(before.gradient_norm),
            gradient_norm_spike=self._gradient_norm_of_spike(),
            update_norm_before=self.recorder.usual("update_norm", step - 1),
            update_norm_at=None if before is None else number_of(before.update_norm),
            edge_ratio_last=last_edge_ratio,
            updates_between=pair.updates,
            after_spike=pair.after_spike,
            rewound=self.rewound,
        )
        if not self.live.shards:
            evidence = self._moments(evidence)
            evidence = self._values(evidence, pair)
            if pair.old is not None and pair.new is not None:
                evidence = self._along(evidence, pair.old, pair.new)
            evidence = self._finiteness(evidence, pair)
        evidence = replace(evidence, unmeasured=tuple(self.unmeasured))
        finding = cause_of(evidence)
        return SpikeReport(
            step=step,
            cause=finding.cause,
            because=finding.because,
            ruled_out=finding.ruled_out,
            advice=remedies(finding.cause, evidence),
            evidence=evidence,
            history=self._history(lr),
            profile=tuple(sorted(self.profile.items())),
        )

    def _pair(self) -> _Pair:
        step = self.spike.step
        new, after = self.recorder.weights(step), False
        older = self.recorder.weights_before(step)
        if self.late == 0 and (new is None or older is None or older[0] < step - 1):
            rewound = self._try("the weights before the last updates", self._rewound) or (None, None)
            if rewound[0] is not None:
                self.rewound = True
                new = rewound[0] if new is None else new
                older = (step - 1, rewound[1]) if rewound[1] is not None else older
        if new is None:
            new, after = self.live.snapshot(), True
        if older is None:
            self.unmeasured.append("the update before it: the weights before it were not kept")
            return _Pair(None, None if after else new, None, False)
        return _Pair(older[1], new, step - older[0] + (self.late + 1 if after else 0), after)

    def _rewound(self) -> tuple[Weights | None, Weights | None]:
        parameters, before = self.recorder.parameters, self.recorder.at(self.spike.step - 1)
        # A loss scaler leaves out the step of gradients that are not finite: there is nothing to take back.
        if not is_finite([p.grad for p in parameters if p.grad is not None]):
            return None, None
        return rewind(self.optimizer, parameters, lr_before=None if before is None else before.lr)

    def _gradient_norm_of_spike(self) -> float | None:
        if self.late == 0:
            return self.gradient_norm
        kept = self.recorder.at(self.spike.step)
        return None if kept is None else number_of(kept.gradient_norm)

    def _moments(self, evidence: SpikeEvidence) -> SpikeEvidence:
        moments = self._try("the second moments", lambda: second_moments(self.optimizer))
        if moments is None:
            return evidence
        past = [number_of(kept.gradient_norm) for kept in reversed(self.recorder.kept)]
        norms = [self.gradient_norm, *past]
        stale = self._try("the second moments", lambda: staleness(moments, norms, since=self.late + 1))
        if stale is None:
            self.unmeasured.append("how old the second moments were: the norms of the gradients are not known")
        return replace(evidence, staleness=stale, beta2=moments.beta2)

    def _values(self, evidence: SpikeEvidence, pair: _Pair) -> SpikeEvidence:
        """The losses of the probe batch and the batch of the spike at the old weights and the new ones."""

        def value(name: str, weights: Weights | None, batch: Any) -> float | None:
            return None if weights is None else self._try(name, lambda: self.live.value_at(weights, batch))

        evidence = replace(
            evidence,
            probe_old=value("the probe batch under the old weights", pair.old, None),
            probe_new=value("the probe batch under the new weights", pair.new, None),
        )
        if self.batch is None:
            self.unmeasured.append("the loss of the batch under the old weights: it was not given to watch.step")
            return evidence
        return replace(
            evidence,
            batch_old=value("the batch under the old weights", pair.old, self.batch),
            batch_new=None if pair.after_spike else value("the batch under the new weights", pair.new, self.batch),
        )

    def _along(self, evidence: SpikeEvidence, old: Weights, new: Weights) -> SpikeEvidence:
        """The length of the update, and how much of it the curvature allows."""
        if evidence.updates_between == 1:
            length = self._try("the length of the update", lambda: _distance(old, new))
            count = sum(each.numel() for each in old)
            rms = None if length is None or not evidence.lr_at else length / math.sqrt(count) / evidence.lr_at
            evidence = replace(evidence, update_norm_at=length, update_rms=rms)
        if not is_finite(old) or not is_finite(new):
            self.unmeasured.append("curvature along the update: the weights are not finite")
            return evidence
        found = self._try("curvature along the update", lambda: self._edge_ratio(old, new, None))
        if found is not None:
            evidence = replace(evidence, edge_ratio_probe=found, uphill=found == math.inf, bend=self._bend())
        own = self.recorder.batch(self.spike.step - 1)
        if own is not None and evidence.updates_between == 1:
            name = "curvature along the update on its own batch"
            evidence = replace(evidence, edge_ratio_batch=self._try(name, lambda: self._edge_ratio(old, new, own)))
        return evidence

    def _edge_ratio(self, old: Weights, new: Weights, batch: Any) -> float | None:
        """1/s_c along the update; infinite if the loss rises from its beginning on, None if there is no update."""
        if all(bool((a == b).all()) for a, b in zip(old, new, strict=True)):
            self.unmeasured.append("curvature along the update: it is zero")
            return None
        with self.live.between(old, new, batch) as loss:

            def seen(s: float) -> float:
                value = loss(s)
                if batch is None:
                    self.profile[s] = value
                return value

            present = seen(0.0)
            if not math.isfinite(present):
                self.unmeasured.append("curvature along the update: the loss before it is not finite")
                return None
            noise = self.live.rounding * abs(present)
            found = critical_step(seen, present, guess=1.0, rtol=0.05, passes=14, noise=noise)
            if batch is None:
                for s in _PROFILE:
                    seen(s)
        return 1 / found.step if found.step > 0 else math.inf

    def _bend(self) -> float | None:
        start, middle, end = (self.profile[s] for s in (0.0, 0.5, 1.0))
        if not math.isfinite(middle + end) or not end > start:
            return None
        return 2 * (end - 2 * middle + start) / (end - start)

    def _finiteness(self, evidence: SpikeEvidence, pair: _Pair) -> SpikeEvidence:
        weights = None if pair.after_spike else pair.new
        names = self._try("what is not finite", lambda: non_finite(self.live, weights, self.batch)) or ()
        last = self.recorder.batch(self.spike.step - 1)
        if names[:1] == (BATCH,) and last is not None and not is_finite(list(fixed_data.tensors_in(last))):
            names = names[1:]  # so had the one before it: a mask
        skipped = None
        if weights is not None:
            kept = self._try("whether the step was taken", lambda: _same(weights, self.live.snapshot()))
            skipped = kept if any(name.startswith(GRADIENT) for name in names) else None
        layer = None
        if not math.isfinite(evidence.loss_at) and weights is not None and is_finite(weights):
            layer = self._try("the layer", lambda: first_layer(self.live, weights, self.batch))
            if layer is not None and names[:1] != (BATCH,):
                names = (layer[0], *names)
        overflow = None
        if names and names[:1] != (BATCH,):
            overflow = self._try("overflow", lambda: exceeded(self.live, weights, layer))
        return replace(evidence, non_finite=names, overflow=overflow, skipped=skipped)

    def _history(self, lr: float | None) -> SpikeHistory:
        kept = [each for each in self.recorder.kept if each.step < self.spike.step]
        last = kept[-1].lr if kept else math.nan
        return SpikeHistory(
            step=(*(each.step for each in kept), self.spike.step),
            loss=(*(float(each.loss) for each in kept), self.spike.loss),
            lr=(*(each.lr for each in kept), last if lr is None else lr),
            gradient_norm=(*(number_of(each.gradient_norm) for each in kept), self._gradient_norm_of_spike()),
            update_norm=(*(number_of(each.update_norm) for each in kept), None),
        )

    def _try(self, name: str, measure: Callable[[], _T]) -> _T | None:
        try:
            return measure()
        except Exception as error:  # a report without a number is better than none
            self.unmeasured.append(f"{name}: {type(error).__name__}: {first_line(error)}")
            return None


def _distance(old: Weights, new: Weights) -> float:
    norms = [torch.linalg.vector_norm(d.float()).double().cpu() for d in torch._foreach_sub(new, old)]
    return float(torch.linalg.vector_norm(torch.stack(norms)))


def _same(a: Weights, b: Weights) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
