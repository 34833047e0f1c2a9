"""Step sizes that change on the way."""

from edgewise.methods.schedules.constant import Constant
from edgewise.methods.schedules.cosine import Cosine
from edgewise.methods.schedules.drop import Drop
from edgewise.methods.schedules.schedule import (
    Schedule,
    by_step_size,
    require_lr,
    require_step_size,
    step_size,
    step_size_in,
)
from edgewise.methods.schedules.warmup import Warmup

__all__ = [
    "Constant",
    "Cosine",
    "Drop",
    "Schedule",
    "Warmup",
    "by_step_size",
    "require_lr",
    "require_step_size",
    "step_size",
    "step_size_in",
]
