"""Where trainings of many kinds really break, beside where the watch said that they would.

A model is trained under a watch, which says how large the step size could be. From that very state, with the same
batches, training goes on with multiples of the advised step size, upward, until it breaks.
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from torch import Tensor

from edgewise.data import Data, LoadedData
from edgewise.gallery.critical2026sharpness.spikes import level_of, spikes
from edgewise.gallery.critical2026sharpness.watched import (
    Batch,
    Criterion,
    branched,
    drawn,
    or_nan,
    tokens,
    train,
    train_under_watch,
)
from edgewise.models import Model
from edgewise.watch import KINDS, advise

MULTIPLES = tuple(2.0 ** (k / 2) for k in range(-4, 9))
# Batches of the training that the watch reads on, as far as so many samples go.
_BATCHES, _MOST = 8, 512


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean squared distance from one-hot rows."""
    return F.mse_loss(outputs, F.one_hot(targets, outputs.shape[-1]).to(outputs.dtype))


CRITERIA: Mapping[str, Criterion] = {
    "cross-entropy": F.cross_entropy,
    "cross-entropy of tokens": tokens,
    "squared error": squared,
}


def breaking(
    data: Data,
    model: Model,
    criterion: str,
    optimizer: str,
    options: Mapping[str, float | bool],
    batch: int,
    steps: int,
    further: int,
    seed: int,
) -> xr.Dataset:
    """Train under a watch, ask, and go on with ever larger step sizes.

    The last two step sizes that were tried have both broken the training, or the last one is the largest. What
    the sharpness alone says is the advice of a watch that has read nothing but that.

    Args:
        data: what is learnt.
        model: what learns it.
        criterion: one of `CRITERIA`.
        optimizer: a name in `torch.optim`.
        options: what it is made with.
        batch: samples of an update; as many as there are take all of them every time.
        steps: of training before the advice.
        further: steps after it.
        seed: of the start and of the batches.
    """
    loaded, loss_of = data.load(), CRITERIA[criterion]
    network = model.build(loaded.input_shape, loaded.outputs, seed)
    descent = getattr(torch.optim, optimizer)(network.parameters(), **options)
    batches, read_on = _batches(loaded, batch, steps + further, seed)
    watch, before = train_under_watch(network, descent, loss_of, batches[:steps], read_on, seed)
    advice = watch.advise()
    of_sharpness = watch.readings.of("effective sharpness")
    by_sharpness = advise(of_sharpness, watch.losses, [report.step for report in watch.spikes], advice.lr)
    advised, step = or_nan(advice.max_lr), np.arange(steps, dtype=np.float64)
    broke, after = np.full(len(MULTIPLES), np.nan), np.full((len(MULTIPLES), further), np.nan)
    if advice.max_lr is not None:
        level = level_of(step, np.array(before))
        for i, multiple in enumerate(MULTIPLES):
            after[i] = train(*branched(network, descent, multiple * advised), loss_of, batches[steps:])
            broke[i] = spikes(after[i], *level)
            if i and broke[i - 1] and broke[i]:
                break
    return xr.Dataset(
        {
            "loss_before": ("step", before),
            "loss": (("multiple", "further"), after),
            "broke": ("multiple", broke),
            "lr": advice.lr,
            "advised": advised,
            "low": or_nan(advice.low),
            "high": or_nan(advice.high),
            "by_sharpness": or_nan(by_sharpness.max_lr),
            "kind": -1 if advice.kind is None else KINDS.index(advice.kind),
        },
        coords={"step": step, "further": steps + np.arange(further), "multiple": list(MULTIPLES)},
    )


def _batches(data: LoadedData, batch: int, steps: int, seed: int) -> tuple[list[Batch], Batch]:
    if batch == len(data):
        whole = data.inputs, data.targets
        return [whole] * steps, whole
    return drawn(data, batch, min(_BATCHES * batch, _MOST), steps, seed)
