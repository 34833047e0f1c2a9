"""The records that an exhibit still needs, made side by side in processes of one thread each.

One thread, because the sum of a matrix product depends on how many share it, and a golden number shall not.
"""

import fcntl
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import final

from edgewise.dynamics import Silent
from edgewise.foundation import EdgewiseError, RecordError, first_line, one_thread
from edgewise.reproduction.exhibit import Exhibit
from edgewise.reproduction.experiment import Experiment
from edgewise.reproduction.scale import Scale
from edgewise.reproduction.worker import deaf_children, pool_of, stop, work

_INTERRUPTED = "it was interrupted; the same command goes on with it"
_KILLED = "its process was killed, perhaps for want of memory; try it alone, with --jobs 1"
_LOCK = "writer.lock"


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

    One that is there and damaged is left as it is: `collect` says what is wrong with it.

    Args:
        exhibits: with their labels.
        scale: at which they are reproduced.
        seeds: how many; None takes as many as the claims of each ask for.
        store: where records are kept.
        again: make those that are there anew.
    """
    jobs: dict[Path, Job] = {}
    for label, exhibit in exhibits:
        for seed in range(exhibit.seeds if seeds is None else seeds):
            for name, experiment in exhibit.recipe(scale, seed).items():
                folder = experiment.folder(store, seed)
                if folder not in jobs and (again or _wanting(experiment, folder)):
                    jobs[folder] = Job(f"{label} {name}", experiment, folder, seed, again)
    return tuple(jobs.values())


def _wanting(experiment: Experiment, folder: Path) -> bool:
    try:
        return not experiment.finished(folder)
    except RecordError:
        return False


def perform(jobs: Sequence[Job], workers: int, told: Callable[[Done], None]) -> tuple[Done, ...]:
    """Do the jobs, `workers` at a time; one that fails, or whose process dies, leaves the others alone.

    Args:
        jobs: what to do.
        workers: how many processes; with one it is done in this process.
        told: hears of every job as it ends.

    Returns:
        All of them, in the order in which they ended.
    """
    done: list[Done] = []

    def end(job: Job, trouble: str) -> None:
        done.append(Done(job, trouble))
        told(done[-1])

    workers = min(workers, len(jobs))
    if workers < 2:
        with one_thread():
            for job in jobs:
                end(job, _perform(job))
                if done[-1].trouble == _INTERRUPTED:
                    raise KeyboardInterrupt
        return tuple(done)
    left = deque(jobs)
    while left:
        # Which of those under way has killed its process cannot be told: each is tried once more, by itself.
        for job in _side_by_side(left, workers, end):
            if _side_by_side(deque([job]), 1, end):
                end(job, _KILLED)
    return tuple(done)


def _side_by_side(left: deque[Job], workers: int, end: Callable[[Job, str], None]) -> tuple[Job, ...]:
    """Do what is left in a pool; returns the jobs that were under way when one of its processes died."""
    others, running = active_children(), dict[Future[str], Job]()
    pool = pool_of(workers)
    try:
        while left or running:
            # No more than are being done: what waits in the pool's own queue could not be taken back.
            while left and len(running) < workers:
                with deaf_children():
                    running[pool.submit(_work, left[0])] = left[0]
                left.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                trouble = _answer(future)
                end(running.pop(future), trouble)
    except BrokenProcessPool:
        return tuple(running.values())
    except BaseException:
        stop(tuple(running), others)
        raise
    finally:
        pool.shutdown(wait=True)
    return ()


def _work(job: Job) -> str:
    """The same in a process of the pool."""
    return work(partial(_perform, job), _INTERRUPTED)


def _answer(future: "Future[str]") -> str:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # what it was asked for, or its answer, did not get across
        return f"{type(error).__name__}: {first_line(error)}"


def _perform(job: Job) -> str:
    """Make one record; what is wrong comes back as words, for it has to cross to another process."""
    try:
        with _alone_in(job.folder):
            if job.again:
                _clear(job.folder)
            elif job.experiment.finished(job.folder):
                return ""  # another call has made it meanwhile
            job.experiment.perform(job.folder, job.seed, Silent())
            return "" if job.experiment.finished(job.folder) else _INTERRUPTED
    except EdgewiseError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other process makes the record in `folder`; one that does so is waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go of when it is closed, however this process ends
        yield


def _clear(folder: Path) -> None:
    """Throw a record away, beginning with the manifest that vouches for the rest."""
    (folder / "run.json").unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()
