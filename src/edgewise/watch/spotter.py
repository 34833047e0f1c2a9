"""The losses of a training as they come in: kept, looked at for spikes, and those explained."""

import math
from collections.abc import Callable, Sequence
from typing import Any, final

from torch import Tensor, nn
from torch.optim import Optimizer

from edgewise.watch.budget import Budget, Cadence
from edgewise.watch.live import LiveLoss
from edgewise.watch.losses import Losses
from edgewise.watch.spikes import Detector, Recorder, SpikeReport, investigate

# Losses are looked at so many at a time, at most; a loss that is higher than as many as these before it at once.
_TOGETHER, _RECENT = 10, 64
# Copies of the weights, in which a spike is replayed, may take this share of the budget.
_COPIES = 1 / 10
# The norms of gradients, which tell second moments that have fallen behind, may take this one.
_NORMS = 1 / 20


@final
class Spotter:
    """Takes in every loss, and explains those that are spikes; of a sharded model it only sees them.

    Args:
        live: the loss of the model.
        optimizer: its optimiser.
        parameters: what is trained.
        budget: what copies of the weights may cost.
        last_ratio: the last edge ratio read.
        told: hears of the step of each spike.

    Attributes:
        losses: what the training reported.
        spikes: a report of each spike.
    """

    def __init__(
        self,
        live: LiveLoss,
        optimizer: Optimizer,
        parameters: Sequence[Tensor],
        budget: Budget,
        last_ratio: Callable[[], float | None],
        told: Callable[[int], None],
    ) -> None:
        self.losses = Losses()
        self.spikes: list[SpikeReport] = []
        self._live, self._optimizer, self._parameters, self._budget = live, optimizer, parameters, budget
        self._last_ratio, self._told = last_ratio, told
        self._detector = Detector()
        self._recorder = Recorder(parameters)
        # To look at a number on an accelerator is to wait for it.
        self._far = live.device.type != "cpu"
        self._pending: list[tuple[int, float | Tensor, float | Tensor]] = []
        # A batch may be large: only the last two are held, as by the recorder.
        self._batch: tuple[int, Any] = -1, None
        self._batch_before = self._batch
        self._highest = -math.inf
        # The step at which the losses that are waiting are looked at, however few they are.
        self._due: int | float = 0
        self._copies, self._norms = Cadence(budget, _COPIES), Cadence(budget, _NORMS)
        # A norm and a replay of a sharded model take all its processes, and a loss is seen in one.
        self._replays = not live.shards

    def see(self, step: int, loss: Any, batch: Any) -> int:
        """Take in the loss of a step, after its update; say how many have been looked at.

        Between the steps of a training the interpreter has left the caches, so that what is done at every
        step costs ten times what a loop over it would: losses are looked at several at a time, but for one
        that is higher than any of late.

        Args:
            step: t.
            loss: of w_t on the batch.
            batch: if it was handed over.
        """
        value: float | Tensor
        if loss.__class__ is Tensor and not self._far:
            value = loss.item()
        else:
            value = loss if loss.__class__ is float else self._number(loss)
        lr = self._optimizer.param_groups[0]["lr"]
        pending = self._pending
        pending.append((step, value, lr if lr.__class__ is float else self._number(lr, copied=True)))
        if batch is not None:
            self._batch_before, self._batch = self._batch, (step, batch)
        if len(pending) < _TOGETHER and (self._far or (step < self._due and value <= self._highest)):
            return 0
        self.settle(step)
        return len(pending)

    def settle(self, step: int | None = None) -> None:
        """Look at the losses that are waiting; the step is the one that has just been taken, if one has."""
        pending, self._pending = self._pending, []
        batches = dict((self._batch_before, self._batch))
        add, see, keep = self.losses.add, self._detector.see, self._recorder.keep
        for at, loss, lr in pending:
            value, batch, now = float(loss), batches.get(at), at == step
            add(at, value)
            event = see(at, value)
            if event == "begins":
                self._explain(batch if now else None)
            elif event == "over":
                self._close()
            if now:
                self._keep(at, value, float(lr), batch)
            else:
                keep(at, value, float(lr), False, batch)
        self._highest = self.losses.highest(_RECENT)
        if pending:
            # What is due about when as many losses are waiting as are looked at together can wait for that.
            soonest, at = min(self._norms.next, self._copies.next), pending[-1][0]
            self._due = soonest if self._replays and soonest - at < _TOGETHER // 2 else math.inf

    def _number(self, value: Any, *, copied: bool = False) -> float | Tensor:
        """A number; one that is not to be waited for stays where it is."""
        if not isinstance(value, Tensor):
            return float(value)
        if not self._far:
            return float(value.item())
        return value.detach().clone() if copied else value.detach()

    def _explain(self, batch: Any) -> None:
        spike = self._detector.spike
        assert spike is not None  # it has just begun
        began = self._budget.clock()
        report = investigate(
            self._recorder, self._live, self._optimizer, spike, batch=batch, gradient_norm=self._gradient_norm(),
            lr=float(self._optimizer.param_groups[0]["lr"]), last_edge_ratio=self._last_ratio(),
        )  # fmt: skip
        self._budget.charge("spike reports", self._budget.clock() - began)
        self.spikes.append(report)
        self._told(spike.step)

    def _close(self) -> None:
        """Write into the report how the spike ended."""
        spike = self._detector.spike
        if spike is None or spike.over is None or not self.spikes:
            return
        if self.spikes[-1].step == spike.step:
            self.spikes[-1] = self.spikes[-1].ended(spike.over, spike.peak, bool(spike.recovered))

    def _keep(self, step: int, loss: float, lr: float, batch: Any) -> None:
        """Keep what a spike would be replayed from; gradients and weights as often as the budget allows."""
        clock, norm = self._budget.clock, None
        if self._replays and self._norms.due(step):
            began = clock()
            norm = self._gradient_norm()
            self._took("norms of gradients", self._norms, step, clock() - began)
        copied = self._replays and self._copies.due(step)
        began = clock() if copied else 0.0
        self._recorder.keep(step, loss, lr, copied, batch, gradient_norm=norm)
        if copied:
            self._took("copies of weights", self._copies, step, clock() - began)

    def _took(self, what: str, cadence: Cadence, step: int, seconds: float) -> None:
        cadence.took(step, seconds)
        self._budget.charge(what, seconds)

    def _gradient_norm(self) -> Tensor | None:
        gradients = [p.grad for p in self._parameters if p.grad is not None and self._replays]
        return nn.utils.get_total_norm(gradients) if gradients else None
