"""A point at the edge of stability: where plain gradient descent has been for a while.

Getting there takes some two thousand steps, half a minute on a quiet machine; the point is kept in the folder for
temporary files, named after everything it depends on.
"""

import hashlib
import tempfile
from itertools import count
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.nets import Descent
from benchmarks.timing import progress
from edgewise.curvature import Hessian, Tracker

_LOOK = 50  # steps between looks at the sharpness
_STAY = 200  # steps at the edge before it is called that


def edge_point(descent: Descent, most: int = 4000) -> tuple[Tensor, int]:
    """Descend until the sharpness has passed 2/η, and a few hundred steps more.

    Returns:
        The point, and how many steps led there.
    """
    problem, step_size = descent.problem, descent.step_size
    recipe = f"{problem} {problem.provenance()['checksum']} {step_size} {torch.__version__}"
    path = (
        Path(tempfile.gettempdir())
        / f"edgewise-edge-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.safetensors"
    )
    if path.exists():
        kept = load_file(path)
        return kept["w"], int(kept["steps"])
    objective = problem.objective()
    w = objective.start
    tracker = Tracker(k=1, rtol=1e-2)
    state = tracker.init(seed=0)
    last = most
    for step in progress(count(), "descending to the edge of stability", most):
        if step == last:
            break
        if step % _LOOK == 0 and last == most:
            pairs, state = tracker.read(Hessian(objective, w), state)
            if float(pairs.values[0]) >= 2 / step_size:
                last = step + _STAY
        w = w - step_size * objective.gradient(w)
    save_file({"w": w, "steps": torch.tensor(last)}, path)
    return w, last
