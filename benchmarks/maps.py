"""Maps over grids of starts: `iterate` beside a loop over the whole grid, and beside numba where it is there."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Table, Target
from benchmarks.timing import progress, seconds
from edgewise.theory import iterate

Reals = NDArray[np.float64]
Way = Callable[["Grid", int], object]

POINTS, STEPS = 512, 10_000
LIMIT = 10.0  # seconds
PLAIN_STEPS = 200  # of the loop over the whole grid, whose seconds are then scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Starts of descent on (1 − x²y²)²/4.

    Attributes:
        words: where they are.
        x: from, to.
        y: from, to.
        lr: the step size.
    """

    words: str
    x: tuple[float, float]
    y: tuple[float, float]
    lr: float

    def starts(self, points: int) -> tuple[Reals, Reals]:
        """The centres of the cells."""
        share = (np.arange(points) + 0.5) / points
        x, y = (low + (high - low) * share for low, high in (self.x, self.y))
        columns, rows = np.meshgrid(x, y)
        return columns, rows

    def step(self, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        """A step of gradient descent."""
        d = x * y
        e = self.lr * d * (d * d - 1.0)
        return x - e * y, y - e * x


GRIDS = (
    Grid(words="[0, 4]², η = 0.2: two thirds escape", x=(0.0, 4.0), y=(0.0, 4.0), lr=0.2),
    Grid(words="next to the edge, η = 0.01: none comes to rest", x=(10.1, 10.3), y=(0.09, 0.1), lr=0.01),
)


def measure(quick: bool) -> list[Table]:
    """Every way on both grids."""
    points, steps = (64, 1000) if quick else (POINTS, STEPS)
    ways: dict[str, tuple[Way, int]] = {
        "edgewise.theory.iterate": (lambda grid, count: iterate(grid.step, grid.starts(points), count), steps),
        "NumPy, the whole grid a step": (lambda grid, count: _plain(grid, points, count), min(PLAIN_STEPS, steps)),
    }
    compiled = _compiled()
    if compiled is not None:
        ways["numba, a start a turn, parallel"] = (
            lambda grid, count: compiled(*(part.ravel() for part in grid.starts(points)), grid.lr, count),
            steps,
        )
    rows, first = [], []
    for name, (way, counted) in progress(ways.items(), "maps", len(ways)):
        row = [name]
        for grid in GRIDS:
            way(grid, 1)
            since = time.process_time()
            took = seconds(lambda way=way, grid=grid, counted=counted: way(grid, counted)) * steps / counted
            spent = (time.process_time() - since) * steps / counted
            row += [f"{took:.2f}", f"{spent:.2f}", f"{points**2 * steps / took / 1e6:.0f}"]
            if name.startswith("edgewise"):
                first.append(took)
        rows.append(row)
    return [
        Table(
            title="Maps over grids of starts",
            setting=(
                f"Descent on (1 − x²y²)²/4 from {points} × {points} starts, {steps:,} steps, float64; all cores. "
                f"{GRIDS[0].words}; {GRIDS[1].words}. The loop over the whole grid is timed on "
                f"{min(PLAIN_STEPS, steps)} steps and scaled. Steps of starts that have escaped or come to "
                "rest are counted as steps, though `iterate` does not take them."
            ),
            columns=[
                "",
                "first grid: s",
                "of the processors",
                "million steps·starts a second",
                "second grid: s",
                "of the processors",
                "million steps·starts a second",
            ],
            rows=rows,
            targets=[
                Target(what=f"seconds, {grid.words}:", measured=took, limit=LIMIT)
                for grid, took in zip(GRIDS, first, strict=True)
            ],
        )
    ]


def _plain(grid: Grid, points: int, steps: int) -> tuple[Reals, Reals]:
    x, y = grid.starts(points)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            x, y = grid.step(x, y)
    return x, y


def _compiled() -> Callable[[Reals, Reals, float, int], None] | None:
    """The same map compiled start by start; None without numba."""
    try:
        import numba
    except ImportError:
        return None

    @numba.njit(parallel=True)
    def run(x: Reals, y: Reals, lr: float, steps: int) -> None:
        for i in numba.prange(x.size):
            a, b = x[i], y[i]
            for _ in range(steps):
                d = a * b
                e = lr * d * (d * d - 1.0)
                a, b = a - e * b, b - e * a
            x[i], y[i] = a, b

    return run
