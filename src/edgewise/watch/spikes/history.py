"""The steps before a loss spike, as columns."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeHistory:
    """The steps up to the spike, a tuple for each column.

    Attributes:
        step: the last one is that of the spike.
        loss: of each.
        lr: the step size of each.
        gradient_norm: ‖g‖ of each; None where it was not measured.
        update_norm: ‖Δ‖ of the update that each step made.
    """

    step: tuple[int, ...]
    loss: tuple[float, ...]
    lr: tuple[float, ...]
    gradient_norm: tuple[float | None, ...]
    update_norm: tuple[float | None, ...]
