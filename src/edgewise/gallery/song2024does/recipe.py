"""A network until its gradient is dominant, and from there on by all of it, by that part, and by the rest."""

from collections.abc import Mapping

import xarray as xr

from edgewise.dynamics import DominantSubspace, Silent, evolve, fork
from edgewise.methods import SGD, Projected
from edgewise.problems import Problem, digits_mlp
from edgewise.reproduction import Computation, Experiment, Scale

WHOLE, DOMINANT, BULK = "whole gradient", "dominant part", "bulk part"
CLASSES = 10
# Steps between measurements of the subspace for the projection, and for the record: odd, so that the readings
# see both phases of an oscillation of period two.
_PROJECTED, _READ = 10, 25
_RTOL = 1e-2


def stochastic(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """SGD in small batches, at half the step size at which gradient descent would come to its edge."""
    problem = digits_mlp(n=150, widths=(24, 24), seed=seed)
    settings = {"problem": problem, "step_size": 0.1, "batch_size": 15, "before": 300, "after": 300}
    return {"sgd": Computation(parted, settings)}


def edge(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """Gradient descent at its edge."""
    problem = digits_mlp(n=300, widths=(32, 32), seed=seed)
    settings = {"problem": problem, "step_size": 0.15, "batch_size": 0, "before": 400, "after": 300}
    return {"gd": Computation(parted, settings)}


def parted(problem: Problem, step_size: float, batch_size: int, before: int, after: int) -> xr.Dataset:
    """Loss and dominant share of the gradient after the switch, by what the method is shown.

    Args:
        problem: what is descended.
        step_size: η, the same for all three.
        batch_size: 0 takes all of the data.
        before: steps before the switch.
        after: steps after it.
    """
    method = SGD(step_size, batch_size or None)
    until = evolve({WHOLE: method}, problem, before, progress=Silent())
    run = fork(
        until,
        before + after,
        processes={
            WHOLE: method,
            DOMINANT: Projected(method, k=CLASSES, every=_PROJECTED, rtol=_RTOL),
            BULK: Projected(method, k=CLASSES, part="bulk", every=_PROJECTED, rtol=_RTOL),
        },
        probes=(DominantSubspace(k=CLASSES, rtol=_RTOL, every=_READ),),
        progress=Silent(),
    )
    names = ("loss", "dominant_fraction", "mean_dominant_fraction")
    read = run.dataset[list(names)]
    return xr.Dataset(
        {name: (("process", "step"), read[name].transpose("process", "step").values) for name in names},
        coords={"process": [str(name) for name in read["process"].values], "step": read["step"].values},
    )
