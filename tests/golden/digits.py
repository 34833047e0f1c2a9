"""The golden run: sixty steps on digits in float64, over the edge of stability, below it, and back.

`python tests/golden/digits.py` writes its curve anew, into `digits.json` beside this file. Do that only after a
change that is meant to change results, and say in the commit why they changed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import edgewise as ew
from edgewise.dynamics import Frame, Probe, Readings
from edgewise.problems import Problem, digits_mlp
from edgewise.records import Series

STEP_SIZE = 2 / 8.3
GOLDEN = Path(__file__).with_name("digits.json")
SERIES = ("loss", "accuracy", "gradient_norm", "converged", "distance_from_start", "projection")


@dataclass(frozen=True, slots=True)
class Converged(Probe):
    """The two largest eigenvalues from a cold start, to rounding: the truth, however the sharpness is tracked."""

    every: int = 3

    def series(self) -> tuple[Series, ...]:
        """`converged`, by rank."""
        return (Series("converged", ("rank",)),)

    def read(self, frame: Frame, state: Any) -> tuple[Readings, Any]:
        """Both eigenvalues."""
        hessian = ew.Hessian(frame.objective, frame.w)
        return {"converged": ew.eigenpairs(hessian, k=2, rtol=1e-11).values.tolist()}, None


def problem() -> Problem:
    """A hundred digits and 1,482 parameters."""
    return digits_mlp(n=100, widths=(16, 16), dtype=torch.float64)


def golden_run() -> ew.Run:
    """The run, with everything that is kept of it."""
    probes = [ew.Sharpness(k=2), Converged(), ew.GradientNorm(), ew.DistanceFromStart(), ew.Projections(2)]
    return ew.evolve({"gd": ew.GradientDescent(STEP_SIZE)}, problem(), 60, probes)


def curve(run: ew.Run) -> dict[str, list[float] | list[list[float]]]:
    """What is kept of it; eigenvalues at every third step."""
    every = {"converged": 3}
    return {name: run.dataset[name].values[0, :: every.get(name, 1)].tolist() for name in SERIES}


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.write_text(json.dumps(curve(golden_run()), indent=1) + "\n")
