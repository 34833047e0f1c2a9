"""A paper for tests: one exhibit with a computation and a descent of milliseconds."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from edgewise.claims import Claim, Runs, Within, last, of
from edgewise.dynamics import Sharpness, evolve
from edgewise.figures import Curve, Panel, plate
from edgewise.methods import GradientDescent
from edgewise.problems import chebyshev_mlp
from edgewise.reproduction import Computation, Descent, Exhibit, Experiment, Scale

CALLS: list[str] = []
"""Every computation that was done in this process."""


def halving(steps: int, factor: float = 0.5) -> xr.Dataset:
    """x ← factor · x, from one."""
    CALLS.append("halving")
    return xr.Dataset({"x": ("step", factor ** np.arange(steps + 1.0))}, coords={"step": np.arange(steps + 1)})


def dying(mark: str) -> xr.Dataset:
    """A computation that kills its process, as the system does when memory runs out; leaves a mark each time."""
    with Path(mark).open("a", encoding="utf-8") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def around_a_run(steps: int) -> xr.Dataset:
    """A computation that makes a run by `evolve`, and works on what that has given."""
    run = evolve({"gd": GradientDescent(0.01)}, chebyshev_mlp(width=3), steps)
    return xr.Dataset({"loss": ("row", run.loss.values[0])})


def broken(steps: int) -> xr.Dataset:
    """A computation that cannot be done."""
    raise ZeroDivisionError(f"nothing in {steps}")


def descent(steps: int = 3, lr: float = 0.01) -> Descent:
    """A run of milliseconds."""
    return Descent(
        processes={"gd": GradientDescent(lr)},
        problem=chebyshev_mlp(width=3),
        steps=steps,
        probes=(Sharpness(),),
    )


def recipe(scale: Scale, seed: int) -> Mapping[str, Experiment]:
    """A toy and a network."""
    return {"toy": Computation(halving, {"steps": 2 if scale is Scale.SMOKE else 4}), "net": descent()}


def final_x(runs: Runs) -> float:
    """Where the toy ends."""
    return float(runs["toy"]["x"][-1])


def draw(runs: Runs) -> Figure:
    """The toy."""
    toy = runs["toy"]
    return plate([Panel(x="step", y="x", curves=[Curve(toy["step"], toy["x"])])], title="It halves")


EXHIBIT = Exhibit(
    name="fig1",
    title="a thing is halved",
    recipe=recipe,
    claims=(
        Claim("it is halved twice", "nobody2000paper, Figure 1", final_x, Within(1e-12, of=0.25)),
        Claim(
            "the net is where it was", "nobody2000paper, Figure 1", of("net", last("loss")), Within(0.0, of=-1.0)
        ),
    ),
    figure=draw,
)
