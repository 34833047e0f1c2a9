"""Along gradient descent the sharpness of the flow's solution falls, whatever loss and sharpness do."""

import numpy as np

from edgewise.claims import AtLeast, AtMost, Claim, Runs, largest, smallest
from edgewise.foundation import EvidenceError

_KEY = "kreisler2023gradient"
_MAIN = f"{_KEY}, main theorem"


def _largest_rise(name: str, runs: Runs) -> float:
    """The largest relative increase in a step."""
    (run,) = runs.values()
    values = run[name].transpose("step", "start").values
    if not np.isfinite(values).all():
        raise EvidenceError(f"the increases of {name}", "some paths escape", "Start closer to the edge")
    return float((np.diff(values, axis=0) / values[:-1]).max())


def _rise_of_flow(runs: Runs) -> float:
    return _largest_rise("flow_sharpness", runs)


def _rise_of_sharpness(runs: Runs) -> float:
    return _largest_rise("sharpness", runs)


def _rises_of_loss(runs: Runs) -> float:
    """How often the loss went up, over a path: the median over starts."""
    (run,) = runs.values()
    return float((run["loss"].diff("step") > 0).sum("step").median())


def _least_start(runs: Runs) -> float:
    """φ at the start ÷ 2/η; the smallest."""
    (run,) = runs.values()
    return float(run["flow_sharpness"].isel(step=0).min() * run["lr"] / 2)


def _largest_end(runs: Runs) -> float:
    """φ at the end ÷ 2/η; the largest."""
    (run,) = runs.values()
    return float(run["end_flow_sharpness"].max() * run["lr"] / 2)


def _smallest_factor(runs: Runs) -> float:
    (run,) = runs.values()
    return float(run["w"].min())


def _final_difference(runs: Runs) -> float:
    """How far the sharpness is from φ at the end, relative, where it is farthest."""
    (run,) = runs.values()
    return float(np.abs((run["end_sharpness"] / run["end_flow_sharpness"] - 1).values).max())


PRODUCTS = (
    Claim("flow would lead from every start to a minimum above 2/η", _MAIN, smallest(_least_start), AtLeast(1.0)),
    Claim("all factors stay positive", _MAIN, smallest(_smallest_factor), AtLeast(0.0)),
    Claim(
        "the sharpness of the flow's solution never rises, relative to itself",
        _MAIN,
        largest(_rise_of_flow),
        AtMost(1e-10),
        counter=Claim("nor does the sharpness itself", _MAIN, largest(_rise_of_sharpness), AtMost(1e-10)),
    ),
    Claim("meanwhile the loss does, again and again", _MAIN, smallest(_rises_of_loss), AtLeast(5)),
    Claim("at the end it is below 2/η", _MAIN, largest(_largest_end), AtMost(1.0)),
    Claim("and it is the sharpness", _MAIN, largest(_final_difference), AtMost(1e-8)),
)
