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

# On an accelerator, losses are looked at so many at a time: to look is to wait for the device.
_TOGETHER = 10
# Copies of the weights, in which a spike is replayed, may take this share of the budget.
_COPIES = 1 / 5
# The norms of gradients, which tell second moments that have fallen behind, may take this one.
_NORMS = 1 / 10


@final
class Spotter:
    """Takes in every loss, and explains those that are spikes.

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
        self._pending: list[tuple[int, float | Tensor]] = []
        self._copies, self._norms = Cadence(budget, _COPIES), Cadence(budget, _NORMS)

    def see(self, step: int, loss: Any, batch: Any) -> None:
        """Take in the loss of a step, after its update.

        Args:
            step: t.
            loss: of w_t on the batch.
            batch: if it was handed over.
        """
        loss = loss.detach() if isinstance(loss, Tensor) else float(loss)
        self._pending.append((step, loss))
        here = not isinstance(loss, Tensor) or loss.device.type == "cpu"
        if here or len(self._pending) >= _TOGETHER:
            self.settle(step, batch)
        self._keep(step, float(loss) if here else math.nan, batch)

    def settle(self, step: int | None = None, batch: Any = None) -> None:
        """Look at the losses that are waiting; the batch is that of the step."""
        pending, self._pending = self._pending, []
        for at, loss in pending:
            value = float(loss)
            self.losses.add(at, value)
            event = self._detector.see(at, value)
            if event == "begins":
                self._explain(batch if at == step else None)
            elif event == "over":
                self._close()

    def _explain(self, batch: Any) -> None:
        spike = self._detector.spike
        assert spike is not None  # it has just begun
        report = investigate(
            self._recorder, self._live, self._optimizer, spike, batch=batch, gradient_norm=self._gradient_norm(),
            lr=self._lr, last_edge_ratio=self._last_ratio(),
        )  # fmt: skip
        self.spikes.append(report)
        self._told(spike.step)

    def _close(self) -> None:
        """Write into the report how the spike ended."""
        spike = self._detector.spike
        if spike is None or spike.over is None or not self.spikes:
            return
        if self.spikes[-1].step == spike.step:
            self.spikes[-1] = self.spikes[-1].ended(spike.over, spike.peak, bool(spike.recovered))

    def _keep(self, step: int, loss: float, batch: Any) -> None:
        """Keep what a spike would be replayed from; the weights as often as the budget allows."""
        clock = self._budget.clock
        norm = None
        if self._norms.due(step):
            began = clock()
            norm = self._gradient_norm()
            self._norms.took(clock() - began)
        copied = self._copies.due(step)
        began = clock()
        self._recorder.keep(step, loss, self._lr, copied, batch, gradient_norm=norm)
        if copied:
            self._copies.took(clock() - began)

    def _gradient_norm(self) -> Tensor | None:
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        return nn.utils.get_total_norm(gradients) if gradients else None

    @property
    def _lr(self) -> float:
        return float(self._optimizer.param_groups[0]["lr"])
