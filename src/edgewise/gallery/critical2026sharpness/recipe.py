"""Descents on digits at which everything is measured, and trainings under a watch that says how far they go."""

from collections.abc import Mapping
from pathlib import Path

from edgewise.gallery.critical2026sharpness.directional import along
from edgewise.gallery.critical2026sharpness.watched import convolutional, transformer
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


# Shakespeare's eighteenth sonnet.
_SONNET = str(Path(__file__).parents[1] / "cohen2021gradient" / "sonnet18.txt")


def watch_gpt(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A character-level transformer under AdamW: a small one on a sonnet, a larger one on Tiny Shakespeare."""
    small = {
        "path": _SONNET, "context": 16, "layers": 2, "width": 32, "heads": 2, "lr": 4e-3, "batch": 8, "probe": 32,
        "steps": 100, "further": 60,
    }  # fmt: skip
    large = {
        "path": None, "context": 64, "layers": 4, "width": 128, "heads": 4, "lr": 2e-3, "batch": 16, "probe": 64,
        "steps": 300, "further": 200,
    }  # fmt: skip
    return {"training": Computation(transformer, {**(small if scale is Scale.SMOKE else large), "seed": seed})}


def watch_cnn(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A convolutional network under SGD with momentum: a small one on digits, a larger one on CIFAR-10."""
    small = {
        "images": "digits", "channels": (8, 8), "lr": 0.1, "batch": 32, "probe": 128, "steps": 150, "further": 100
    }  # fmt: skip
    large = {
        "images": "CIFAR-10", "channels": (32, 32), "lr": 0.02, "batch": 64, "probe": 256,
        "steps": 300, "further": 200,
    }  # fmt: skip
    return {"training": Computation(convolutional, {**(small if scale is Scale.SMOKE else large), "seed": seed})}
