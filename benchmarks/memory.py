"""Whether memory grows with the chunk or with the data set: one process a measurement, n and 8n samples.

The samples are made one by one by a `Dataset`, so that nothing holds them all but the objective itself.
"""

import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.table import Table, Target
from benchmarks.timing import progress
from edgewise.models import CNN
from edgewise.objectives import DoubleBackward, Objective
from edgewise.problems import SquaredError

GRADIENT, PRODUCT = "gradient", "product"
FACTOR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one process is asked to do.

    Attributes:
        words: how it is called in the table.
        task: GRADIENT or PRODUCT.
        chunked: whether the data are cut into chunks.
        memory_cap: of the kept graph; None takes the default.
    """

    words: str
    task: str
    chunked: bool
    memory_cap: int | None = None


CASES = (
    Case(words="gradient, chunks", task=GRADIENT, chunked=True),
    Case(words="gradient, all at once", task=GRADIENT, chunked=False),
    Case(words="product, chunks, `memory_cap=0`", task=PRODUCT, chunked=True, memory_cap=0),
    Case(words="product, chunks, kept up to 4 GiB (the default)", task=PRODUCT, chunked=True),
    Case(words="product, all at once, `memory_cap=0`", task=PRODUCT, chunked=False, memory_cap=0),
)


class Images(Dataset[tuple[Tensor, Tensor]]):
    """Random images and one-hot targets, made when they are asked for."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self.n:
            raise IndexError(index)
        image = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(index))
        return image, torch.nn.functional.one_hot(torch.tensor(index % 10), 10).float()


def measure(quick: bool) -> list[Table]:
    """Every case at n and 8n."""
    n, chunk = (40, 20) if quick else (250, 125)
    peaks: dict[str, list[float]] = {case.words: [] for case in CASES}
    jobs = [(i, size) for i in range(len(CASES)) for size in (n, FACTOR * n)]
    for i, size in progress(jobs, "memory", len(jobs)):
        chunk_size = str(chunk if CASES[i].chunked else size)
        command = [sys.executable, "-m", "benchmarks.memory", str(i), str(size), chunk_size]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[CASES[i].words].append(json.loads(answer.stdout))
    rows = [[words, f"{a:.0f}", f"{b:.0f}", f"{b / a:.2f}"] for words, (a, b) in peaks.items()]
    targets = [
        Target(what=f"{words}, peak at {FACTOR}n ÷ peak at n:", measured=b / a, limit=1.2)
        for words, (a, b) in peaks.items()
        if words in (CASES[0].words, CASES[2].words)
    ]
    setting = (
        "Peak resident memory above that before the objective is made, in MB, each in a process of its own: CNN "
        f"as above, n = {n:,} and 8n = {FACTOR * n:,} images from a `Dataset`, chunks of {chunk}. The limit of "
        '1.2 is this table\'s reading of "grows with the chunk, not with the data set".'
    )
    columns = ["", "n", "8n", "ratio"]
    return [Table(title="Memory", setting=setting, columns=columns, rows=rows, targets=targets)]


def peak(case: Case, n: int, chunk_size: int) -> float:
    """Megabytes at the peak, above those before."""
    torch.set_num_threads(2)
    module = CNN(channels=(32, 32), pooling="average", activation="gelu").build((3, 32, 32), 10, seed=0)
    data = Images(n)
    way = DoubleBackward() if case.memory_cap is None else DoubleBackward(memory_cap=case.memory_cap)
    # One sample through everything first, so that libraries are loaded and workspaces exist.
    small = Objective.from_module(module, SquaredError().function(), Images(1))
    small.at(small.start).hvp(small.start)
    before = _begin()
    objective = Objective.from_module(module, SquaredError().function(), data, chunk_size, way=way)
    w = objective.start
    if case.task == GRADIENT:
        objective.gradient(w)
    else:
        at = objective.at(w)
        for _ in range(3):
            at.hvp(w)
    return _peak() - before


def _begin() -> float:
    """The memory that this process has now, in MB; its peak is counted from here on."""
    if not _STATUS.exists():
        return _peak()
    # Linux keeps the peak of the imports otherwise, which is above what a small case needs.
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> float:
    """The most memory that it had, in MB."""
    return _status("VmHWM") if _STATUS.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _status(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


_STATUS = Path("/proc/self/status")


if __name__ == "__main__":
    number, size, chunk = map(int, sys.argv[1:])
    print(json.dumps(peak(CASES[number], size, chunk)))
