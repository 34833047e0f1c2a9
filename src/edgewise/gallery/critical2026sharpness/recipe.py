"""Descents on digits at which everything is measured, and trainings under a watch that says how far they may go."""

from collections.abc import Mapping

from edgewise.gallery.critical2026sharpness.directional import along
from edgewise.reproduction import Computation, Experiment, Scale

# The first two come to their edge, the first with a catapult; the last does not.
STEP_SIZES = (0.3, 0.2, 0.1)
_STEPS = {Scale.SMOKE: 400, Scale.LAPTOP: 1500, Scale.PAPER: 1500}


def directional(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent with several step sizes, all measured at the same points."""
    return {
        f"η = {eta:g}": Computation(
            along, {"step_size": eta, "steps": _STEPS[scale], "every": 10, "samples": 150, "seed": seed}
        )
        for eta in STEP_SIZES
    }
