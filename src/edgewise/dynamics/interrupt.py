"""Ctrl-C ends a run after the step in hand, with everything it has."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether someone has asked to stop."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Turn the first SIGINT or SIGTERM into a request to stop; the second acts as it did before.

    Outside the main thread signals cannot be caught, and nothing is changed; nor for a signal that is being
    ignored, as SIGINT is by a job in the background.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # None is a handler that was not set from Python, and could not be put back.
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}

    def request(number: int, frame: FrameType | None) -> None:
        interrupt.requested = True
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, request)
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
