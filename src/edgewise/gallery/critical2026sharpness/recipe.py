"""Descents on digits at which everything is measured, and trainings under a watch that says how far they go."""

from collections.abc import Mapping
from pathlib import Path

from edgewise.data import CIFAR10, CharacterText, Data, Digits
from edgewise.gallery.critical2026sharpness.directional import along
from edgewise.gallery.critical2026sharpness.panel import breaking
from edgewise.gallery.critical2026sharpness.watched import convolutional, transformer
from edgewise.models import CNN, MLP, Model, Transformer
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
# Samples of the training that takes all of its data every time.
_FEW = 256


def watch_gpt(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A character-level transformer under AdamW: a small one on a sonnet, a larger one on Tiny Shakespeare."""
    small = {
        "path": _SONNET, "context": 16, "layers": 2, "width": 32, "heads": 2, "lr": 4e-3, "batch": 8, "probe": 64,
        "steps": 100, "further": 60,
    }  # fmt: skip
    large = {
        "path": None, "context": 64, "layers": 4, "width": 128, "heads": 4, "lr": 2e-3, "batch": 16, "probe": 128,
        "steps": 300, "further": 200,
    }  # fmt: skip
    return {"training": Computation(transformer, {**(small if scale is Scale.SMOKE else large), "seed": seed})}


def watch_cnn(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A convolutional network under SGD with momentum: a small one on digits, a larger one on CIFAR-10."""
    small = {
        "images": "digits", "channels": (8, 8), "lr": 0.1, "batch": 32, "probe": 256, "steps": 150, "further": 100
    }  # fmt: skip
    large = {
        "images": "CIFAR-10", "channels": (32, 32), "lr": 0.02, "batch": 64, "probe": 512,
        "steps": 300, "further": 200,
    }  # fmt: skip
    return {"training": Computation(convolutional, {**(small if scale is Scale.SMOKE else large), "seed": seed})}


def panel(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Trainings of many kinds: small ones on digits and a sonnet, larger ones on CIFAR-10 and Tiny Shakespeare."""
    small = scale is Scale.SMOKE
    images: Data = Digits() if small else CIFAR10(n=5000)
    few: Data = Digits(n=_FEW) if small else CIFAR10(n=_FEW)
    text: Data = CharacterText(path=_SONNET, context=16) if small else CharacterText(context=32)
    widths, channels = ((64, 64), (8, 8)) if small else ((128, 128), (16, 16))
    tanh, relu, gelu = (MLP(widths=widths, activation=name) for name in ("tanh", "relu", "gelu"))
    cnn = CNN(channels=channels)
    gpt = Transformer(layers=2, width=32, heads=2) if small else Transformer(layers=3, width=64, heads=4)
    heavy, nesterov = {"momentum": 0.9}, {"momentum": 0.95, "nesterov": True}
    ce, mse, of_tokens = "cross-entropy", "squared error", "cross-entropy of tokens"
    trainings: tuple[tuple[str, Data, Model, str, str, dict[str, float | bool], int], ...] = (
        ("MLP tanh, momentum 0.9, batch 32", images, tanh, ce, "SGD", {"lr": 0.05, **heavy}, 32),
        ("MLP relu, squares, momentum 0.5, batch 8", images, relu, mse, "SGD", {"lr": 0.1, "momentum": 0.5}, 8),
        ("MLP gelu, Nesterov 0.95, batch 16", images, gelu, ce, "SGD", {"lr": 0.01, **nesterov}, 16),
        ("CNN, plain SGD, batch 64", images, cnn, ce, "SGD", {"lr": 0.1}, 64),
        ("CNN, AdamW, batch 32", images, cnn, ce, "AdamW", {"lr": 2e-3}, 32),
        ("MLP tanh, Adam, batch 64", images, tanh, ce, "Adam", {"lr": 1e-3}, 64),
        ("transformer, RMSprop, batch 8", text, gpt, of_tokens, "RMSprop", {"lr": 2e-3}, 8),
        ("transformer, momentum 0.9, batch 8", text, gpt, of_tokens, "SGD", {"lr": 0.1, **heavy}, 8),
        ("transformer, NAdam, batch 16", text, gpt, of_tokens, "NAdam", {"lr": 2e-3}, 16),
        ("MLP tanh, Adagrad, batch 16", images, tanh, ce, "Adagrad", {"lr": 0.02}, 16),
        ("MLP tanh, squares, momentum 0.9, all data", few, tanh, mse, "SGD", {"lr": 0.02, **heavy}, _FEW),
    )
    return {
        name: Computation(
            breaking,
            {
                "data": data, "model": model, "criterion": criterion, "optimizer": optimizer, "options": options,
                "batch": batch, "steps": 200, "further": 100, "seed": seed,
            },
        )
        for name, data, model, criterion, optimizer, options, batch in trainings
    }  # fmt: skip
