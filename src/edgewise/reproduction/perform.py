"""The records that an exhibit still needs, made side by side in processes of one thread each.

One thread, because the sum of a matrix product depends on how many share it, and a golden number shall not.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import final

from edgewise.dynamics import Silent
from edgewise.foundation import EdgewiseError, first_line, one_thread, use_one_thread
from edgewise.reproduction.exhibit import Exhibit
from edgewise.reproduction.experiment import Experiment
from edgewise.reproduction.scale import Scale

_INTERRUPTED = "it was interrupted; the same command goes on with it"


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One record to be made.

    Attributes:
        label: what it is for.
        experiment: what is performed.
        folder: where its record goes.
        seed: of its measuring.
        again: whether what is there is thrown away first.
    """

    label: str
    experiment: Experiment
    folder: Path
    seed: int
    again: bool


@final
@dataclass(frozen=True, slots=True)
class Done:
    """A job that has ended.

    Attributes:
        job: which.
        trouble: why there is no record; empty if there is one.
    """

    job: Job
    trouble: str


def plan(
    exhibits: Iterable[tuple[str, Exhibit]], scale: Scale, seeds: int | None, store: Path, *, again: bool = False
) -> tuple[Job, ...]:
    """The records that are not there yet, each once, whoever needs them.

    Args:
        exhibits: with their labels.
        scale: at which they are reproduced.
        seeds: how many; None takes as many as the claims of each ask for.
        store: where records are kept.
        again: make those that are there anew.

    Raises:
        RecordError: if a record that is there is damaged.
    """
    jobs: dict[Path, Job] = {}
    for label, exhibit in exhibits:
        for seed in range(exhibit.seeds if seeds is None else seeds):
            for name, experiment in exhibit.recipe(scale, seed).items():
                folder = experiment.folder(store, seed)
                if folder not in jobs and (again or not experiment.finished(folder)):
                    jobs[folder] = Job(f"{label} {name}", experiment, folder, seed, again)
    return tuple(jobs.values())


def perform(jobs: Sequence[Job], workers: int, told: Callable[[Done], None]) -> tuple[Done, ...]:
    """Do the jobs, `workers` at a time; one that fails leaves the others alone.

    Args:
        jobs: what to do.
        workers: how many processes; with one it is done in this process.
        told: hears of every job as it ends.

    Returns:
        All of them, in the order in which they ended.
    """
    done = []
    workers = min(workers, len(jobs))
    if workers < 2:
        with one_thread():
            for job in jobs:
                done.append(Done(job, _perform(job)))
                told(done[-1])
                if done[-1].trouble == _INTERRUPTED:
                    raise KeyboardInterrupt
        return tuple(done)
    # Spawned, not forked: a process with the threads of PyTorch cannot be forked safely.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=use_one_thread) as pool:
        futures = {pool.submit(_perform, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                done.append(Done(futures[future], _trouble(future)))
                told(done[-1])
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return tuple(done)


def _perform(job: Job) -> str:
    """Make one record; what is wrong comes back as words, for it has to cross to another process."""
    try:
        if job.again:
            shutil.rmtree(job.folder, ignore_errors=True)
        job.experiment.perform(job.folder, job.seed, Silent())
    except EdgewiseError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"
    return "" if job.experiment.finished(job.folder) else _INTERRUPTED


def _trouble(future: "Future[str]") -> str:
    try:
        return future.result()
    except BrokenProcessPool:
        return "its process was killed, perhaps for want of memory; try with --jobs 1"
