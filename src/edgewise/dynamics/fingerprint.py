"""What identifies an objective, so that a run is not resumed on another one."""

import hashlib

from edgewise.foundation import JSON
from edgewise.objectives import Objective


def fingerprint(objective: Objective) -> dict[str, JSON]:
    """Size, precision and device of w, the digest of the start, and the loss there."""
    start = objective.start.detach().cpu().contiguous()
    return {
        "size": objective.size,
        "dtype": str(objective.dtype).removeprefix("torch."),
        "device": objective.device.type,
        "start": hashlib.sha256(start.numpy().tobytes()).hexdigest(),
        "loss at the start": float(objective.value(objective.start)),
    }
