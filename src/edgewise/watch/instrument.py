"""What an instrument is: asked right after an update w_t → w_{t+1}, it gives readings about it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from torch import Tensor

from edgewise.methods import CriticalLine
from edgewise.watch.batches import cut
from edgewise.watch.clipping import Clipping
from edgewise.watch.live import LiveLoss, Weights
from edgewise.watch.reading import Reading


# Compared by identity: a tensor does not compare to one truth value.
@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """Right after an update, what an instrument may look at.

    Attributes:
        step: t of the update w_t → w_{t+1}.
        live: the loss of the model.
        before: w_t; None if nobody asked for it to be kept.
        gradients: what the optimiser was given, a tensor for each parameter or None.
        lr: the step size of the first param group.
        batch: what the training took its loss of, if it was handed over.
        batch_size: samples that an update averages over, if known.
        line: reads the line of the optimiser.
        clipping: what is known of that.
    """

    step: int
    live: LiveLoss
    before: Weights | None
    gradients: Sequence[Tensor | None]
    lr: float
    batch: Any
    batch_size: int | None
    line: Callable[[], CriticalLine]
    clipping: Clipping = field(default_factory=Clipping)

    def batches(self, seed: int) -> list[Tensor]:
        """The probe batch in batches as small as those of an update; none where it does not have two."""
        return cut(self.live.samples, self.batch_size, seed, self.step, self.live.device)

    def clipped(self, line: CriticalLine, norms: Sequence[float]) -> CriticalLine:
        """The line, for a training that clips gradients of these norms as it clipped that of the update."""
        self.clipping.see(self.gradients)
        share = self.clipping.left(norms)
        return line if share == 1.0 else line.of_share(share)


class Instrument(ABC):
    """Something that reads.

    Attributes:
        weight: its share of what watching may cost, relative to the others; 0 takes only what is left over.
        passes: forward passes that it is thought to cost the next time.
        wants_before: whether it needs the weights before the update.
    """

    weight: float
    passes: float
    wants_before: bool

    @abstractmethod
    def read(self, moment: Moment) -> list[Reading]:
        """What it reads; nothing where there is nothing to read, such as an update of length zero."""
