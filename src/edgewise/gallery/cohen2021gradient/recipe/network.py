"""The network that most exhibits train, at its three sizes, and how it is made to descend.

At the paper's scale it is `fc-tanh` on the first 5,000 images of CIFAR-10, on a laptop a narrower one on the first
1,000. Digits are so easy that a network has fitted them before its sharpness has grown; at the smoke scale their
labels are therefore dealt out anew, and it has to learn every image by heart, as it has to on CIFAR-10.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import torch
import xarray as xr

from edgewise.data import CIFAR10, Data, Digits, LoadedData
from edgewise.dynamics import Diverged, Event, Probe, Process, Silent, evolve
from edgewise.foundation import generator
from edgewise.models import MLP
from edgewise.problems import CrossEntropy, Problem, SquaredError
from edgewise.reproduction import Computation, Descent, Experiment, Scale

SAMPLES = {Scale.SMOKE: 60, Scale.LAPTOP: 1000, Scale.PAPER: 5000}
# What is learned by heart with the cross-entropy: with all ten digits it is over before an edge has been held.
BY_HEART = Digits(n=150, classes=(0, 1, 2))
WIDTH = {Scale.SMOKE: 32, Scale.LAPTOP: 50, Scale.PAPER: 200}


def images(scale: Scale, samples: int) -> Data:
    """The first images of digits (smoke) or of CIFAR-10."""
    return Digits(n=samples) if scale is Scale.SMOKE else CIFAR10(n=samples)


def device(scale: Scale) -> str:
    """Where it is computed: the paper's scale asks for a GPU."""
    return "cuda" if scale is Scale.PAPER else "cpu"


def network(
    scale: Scale,
    *,
    hidden: int = 2,
    width: int | None = None,
    samples: int | None = None,
    activation: str = "tanh",
    parameterization: str = "standard",
    loss: str = "mse",
    seed: int = 0,
) -> Problem:
    """A fully connected network on images, in the size of the scale where nothing else is said."""
    widths = (width or WIDTH[scale],) * hidden
    few = scale is Scale.SMOKE and loss == "ce" and samples is None
    data = BY_HEART if few else images(scale, samples or SAMPLES[scale])
    return Problem(
        name=f"fc_{activation}",
        data=data,
        model=MLP(widths=widths, activation=activation, parameterization=parameterization),
        criterion=SquaredError() if loss == "mse" else CrossEntropy(),
        seed=seed,
        device=device(scale),
    )


def descent(
    problem: Problem,
    processes: Mapping[str, Process],
    steps: int,
    probes: tuple[Probe, ...],
    until: tuple[Event, ...] = (Diverged(),),
) -> Experiment:
    """Processes on a problem; digits get the labels of other digits first."""
    if not isinstance(problem.data, Digits | Enlarged):
        return Descent(processes=processes, problem=problem, steps=steps, probes=probes, until=until)
    asked = {"problem": problem, "processes": processes, "steps": steps, "probes": probes, "until": until}
    return Computation(by_heart, asked)


def by_heart(
    problem: Problem,
    processes: Mapping[str, Process],
    steps: int,
    probes: tuple[Probe, ...],
    until: tuple[Event, ...],
) -> xr.Dataset:
    """The record of processes on a problem whose samples have swapped their labels."""
    run = evolve(
        processes, dealt_anew(problem).objective(), steps, probes, until, seed=problem.seed, progress=Silent()
    )
    record = run.dataset.load().drop_encoding()
    # A flow has series along modes of which it found none; their length of zero cannot be written down.
    return record.drop_dims([name for name, length in record.sizes.items() if length == 0])


def dealt_anew(problem: Problem) -> Problem:
    """The problem, with the labels of its samples permuted."""
    return replace(problem, data=Permuted(data=problem.data))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Permuted(Data):
    """Samples that have swapped their labels; which with which follows from their number."""

    data: Data

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """The inputs as they are, the targets in another order."""
        loaded = self.data.load(dtype)
        order = torch.randperm(len(loaded), generator=generator(0, "labels"))
        return replace(
            loaded, targets=loaded.targets[order], source=f"{loaded.source}, with their labels dealt out anew"
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Enlarged(Data):
    """Small images of which every pixel has become a square of 4 × 4, for networks that halve them five times."""

    data: Data

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """Images of 32 × 32 from digits."""
        loaded = self.data.load(dtype)
        return replace(loaded, inputs=loaded.inputs.repeat_interleave(4, 2).repeat_interleave(4, 3))
