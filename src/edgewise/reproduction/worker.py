"""A process of the pool: it makes one record at a time, and does not outlive the process that started it.

Ctrl-C is none of its business: a terminal sends it to everyone, and a process that is idle, or still starting,
would answer with a traceback. The process that started it says when to stop, by SIGTERM.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from types import FrameType

from edgewise.foundation import use_one_thread

# Seconds in which a descent may end the step in hand and save its state, and then those in which it may go.
_GRACE, _LAST = 20.0, 5.0


def pool_of(workers: int) -> ProcessPoolExecutor:
    """Processes of one thread each; spawned, for one with the threads of PyTorch cannot be forked safely."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)


@contextmanager
def deaf_children() -> Iterator[None]:
    """What is started inside ignores Ctrl-C from its very first instruction."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def stop(running: Sequence["Future[str]"], others: Sequence[BaseProcess]) -> None:
    """End the processes of a pool: asked, so that descents save their state; asked again; and killed.

    Args:
        running: what they are doing.
        others: children that are not of the pool.
    """
    processes = [process for process in active_children() if process not in others]
    try:
        for patience in (_GRACE, _LAST):
            for process in processes:
                process.terminate()
            if not wait(running, timeout=patience).not_done:
                break
    finally:
        if not all(future.done() for future in running):
            for process in processes:
                process.kill()


def work(job: Callable[[], str], stopped: str) -> str:
    """Do a job in a process of the pool.

    Args:
        job: what to do; what it returns is returned.
        stopped: what to return if it was stopped.
    """
    _busy.set()
    try:
        return job()
    except KeyboardInterrupt:
        return stopped
    finally:
        _busy.clear()
        parent = parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(1)


_busy = threading.Event()


def _begin() -> None:
    use_one_thread()
    signal.signal(signal.SIGTERM, _asked)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _asked(number: int, frame: FrameType | None) -> None:
    """End the job; a process that idles is ended by its pool, which takes any other end for an accident."""
    if _busy.is_set():
        raise KeyboardInterrupt


def _outlive_nobody() -> None:
    """End when the parent is gone: nobody would read the answer."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE if _busy.is_set() else 0.0)
        os._exit(1)
