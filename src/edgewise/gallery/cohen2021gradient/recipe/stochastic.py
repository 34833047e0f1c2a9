"""Stochastic gradient descent with batches of several sizes."""

from collections.abc import Mapping

from edgewise.dynamics import Accuracy, Loss, Sharpness
from edgewise.gallery.cohen2021gradient.recipe.network import descent, network
from edgewise.methods import SGD
from edgewise.reproduction import Experiment, Scale

# Critical curvatures 2/η, sizes of the batches, and the time.
_BATCHES = {
    Scale.SMOKE: ((20, 26), (3, 12, 60), 60.0),
    Scale.LAPTOP: ((110, 140), (16, 64, 256, 1000), 20.0),
    Scale.PAPER: ((100, 200, 400), (8, 32, 128, 512, 5000), 100.0),
}
_EVERY = 15


def fig29(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """From small batches to all samples at once."""
    criticals, batches, time = _BATCHES[scale]
    probes = (Sharpness(every=_EVERY), Loss(_EVERY), Accuracy(_EVERY))
    return {
        f"η = 2/{critical}, batch {size}": descent(
            network(scale), {"sgd": SGD(2 / critical, batch_size=size)}, round(time * critical / 2), probes
        )
        for critical in criticals
        for size in batches
    }
