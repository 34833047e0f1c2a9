"""Seconds on a machine that does other things too: alternate what is compared, and compare medians."""

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")
Action = Callable[[], object]


def interleaved(
    reference: Action, actions: Mapping[str, Action], repeats: int, label: str
) -> tuple[float, dict[str, float]]:
    """Time every action right after a run of the reference, over and over.

    Returns:
        The median seconds of the reference, and of every action.
    """
    base: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in progress(range(repeats), label, repeats):
        for name, action in actions.items():
            base.append(seconds(reference))
            taken[name].append(seconds(action))
    return statistics.median(base), {name: statistics.median(times) for name, times in taken.items()}


def seconds(action: Action) -> float:
    """How long it takes once."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def progress(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """The items, with a bar on standard error; where nobody looks, one line at the start."""
    if sys.stderr.isatty():
        yield from track(items, label, total, console=Console(stderr=True), transient=True)
    else:
        print(label, file=sys.stderr, flush=True)
        yield from items
