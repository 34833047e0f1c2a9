"""A descent: processes side by side on a problem, recorded by `evolve`."""

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast, final

import xarray as xr

from edgewise.dynamics import Diverged, Event, Probe, Problem, Process, Progress, Run, evolve
from edgewise.foundation import JSON, RecordError, encode
from edgewise.records import list_records
from edgewise.reproduction.experiment import Experiment

_SITTINGS = "seconds"  # beside the run: how long each sitting took, a line each


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Descent(Experiment):
    """What `evolve` is asked for; see there.

    An interrupted one goes on where it stopped, bit for bit.

    Args:
        processes: methods, flows and midpoints by the name of their process.
        problem: a named problem, which can be built again.
        steps: how many steps to take.
        probes: what to read.
        until: what ends a process early.
    """

    processes: Mapping[str, Process]
    problem: Problem
    steps: int
    probes: tuple[Probe, ...] = ()
    until: tuple[Event, ...] = field(default=(Diverged(),))

    def identity(self, seed: int) -> JSON:
        """The recipe as it stands in the manifest of the run, with the checksum of its data."""
        return {
            "processes": encode(dict(self.processes)),
            "problem": encode(self.problem),
            "data": dict(_provenance(cast(Hashable, self.problem))),
            "steps": self.steps,
            "probes": encode(self.probes),
            "until": encode(self.until),
            "seed": seed,
        }

    def finished(self, folder: Path) -> bool:
        """Whether every process has come to its end, and not by an interruption."""
        run = _run(folder)
        if run is None:
            return False
        outcomes = run.outcomes
        return set(outcomes) == set(self.processes) and all(o.kind != "interrupted" for o in outcomes.values())

    def perform(self, folder: Path, seed: int, progress: Progress) -> None:
        """Descend, or go on from the last checkpoint; each sitting notes how long it was."""
        folder.mkdir(parents=True, exist_ok=True)
        since = time.perf_counter()
        try:
            self._descend(folder, seed, progress)
        finally:
            with (folder / _SITTINGS).open("a", encoding="utf-8") as sittings:
                sittings.write(f"{time.perf_counter() - since:.6g}\n")

    def _descend(self, folder: Path, seed: int, progress: Progress) -> None:
        run = _run(folder)
        if run is not None:
            run.resume(progress=progress)
            return
        evolve(
            dict(self.processes),
            self.problem,
            self.steps,
            self.probes,
            self.until,
            store=folder,
            seed=seed,
            progress=progress,
        )

    def dataset(self, folder: Path) -> xr.Dataset:
        """The readings of the run."""
        run = _run(folder)
        if run is None:
            raise RecordError(f"reading {folder}", "there is no run in it", "Type edgewise reproduce first")
        dataset = run.dataset
        # The same processes in another order are the same run, and the first one is what a measure takes.
        order = [name for name in self.processes if name in dataset["process"].values]
        return dataset.sel(process=order)

    def seconds(self, folder: Path) -> float:
        """What it took on the clock, with its probes, in all sittings that came to an end.

        A record of another version, which noted none, tells what advancing its processes took.
        """
        sittings = folder / _SITTINGS
        if sittings.exists():
            return sum(float(line) for line in sittings.read_text(encoding="utf-8").split())
        run = _run(folder)
        return sum(run.seconds.values()) if run is not None else 0.0


def _run(folder: Path) -> Run | None:
    """The run in a folder that holds one; None if there is none.

    Raises:
        RecordError: if it is damaged.
    """
    if not folder.exists():
        return None
    listing = list_records(folder)
    if listing.broken:
        raise listing.broken[0]
    return Run(listing.records[-1]) if listing.records else None


@lru_cache(maxsize=64)
def _provenance(problem: Hashable) -> Mapping[str, JSON]:
    assert isinstance(problem, Problem)
    return problem.provenance()
