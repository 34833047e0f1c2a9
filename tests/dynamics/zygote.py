"""Descends in processes that somebody else kills.

Reads store folders from standard input, one a line; for each, forks a process that goes on with the one run in
it, or starts it, and prints its id. PyTorch is imported once, but not used before the fork: its autograd does not
survive one. The recipe is imported by the test too, which knows what the uninterrupted run gives.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

import edgewise as ew

STEPS = 20
SETTING: dict[str, Any] = {
    "processes": {"gd": ew.GradientDescent(ew.Drop(0.4, 0.2, 12)), "hb": ew.HeavyBall(0.05, 0.9)},
    "steps": STEPS,
    "probes": [ew.Sharpness(k=2), ew.MidpointSharpness(every=4), ew.Projections(2)],
}


def objective() -> ew.Objective:
    """A network of 41 parameters."""
    numbers = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=numbers, dtype=torch.float64))
    data = torch.randn(8, 3, generator=numbers, dtype=torch.float64)
    return ew.Objective.from_module(module, nn.MSELoss(), (data[:, :2], data[:, 2:]))


def descend(store: Path) -> None:
    """Go on with the run in `store`, or start it."""
    runs = [path for path in store.iterdir() if not path.name.startswith(".")]
    if runs:
        ew.open_run(runs[0]).resume(STEPS, objective=objective(), checkpoint_seconds=0.02)
    else:
        ew.evolve(problem=objective(), store=store, checkpoint_seconds=0.02, **SETTING)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    torch.set_num_threads(1)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                descend(Path(line.rstrip("\n")))
                status = 0
            finally:
                if status:
                    sys.excepthook(*sys.exc_info())
                os._exit(status)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
