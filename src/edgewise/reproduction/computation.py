"""A computation: a function that returns labelled arrays, for toys whose dynamics is a map of a few numbers."""

import ast
import hashlib
import inspect
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from socket import SHUT_WR, socketpair
from typing import Any, final

import xarray as xr

from edgewise.dynamics import Progress
from edgewise.foundation import JSON, SettingError, encode
from edgewise.records import Record, provenance, read_arrays, write_arrays
from edgewise.reproduction.experiment import Experiment


@final
@dataclass(frozen=True, slots=True)
class Computation(Experiment):
    """`function(**arguments)`, whose result is kept.

    Its record is that of this very code: when the module of the function changes, or one of its folder that it
    takes something from, it is computed again.

    Args:
        function: from the arguments to an `xarray.Dataset`; at the top level of a module. One that draws at
            random takes a seed as an argument.
        arguments: plain values: numbers, strings, and tuples of them.

    Raises:
        SettingError: if the function could not be found again by its name.
    """

    function: Callable[..., xr.Dataset]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = getattr(self.function, "__qualname__", repr(self.function))  # a partial has none
        if "<" in name or "(" in name:
            raise SettingError(
                f"the function {name}",
                "its record could not be told from that of another one",
                "Define it at the top level of a module",
            )

    def identity(self, seed: int) -> JSON:
        """The name of the function, its source, and its arguments; a seed is one of them or none."""
        return {
            "function": f"{self.function.__module__}:{self.function.__qualname__}",
            "source": hashlib.sha256(_source(self.function.__module__).encode()).hexdigest(),
            "arguments": encode(dict(self.arguments)),
        }

    def finished(self, folder: Path) -> bool:
        """Whether its manifest, which is written last, is there."""
        return (folder / "run.json").exists()

    def perform(self, folder: Path, seed: int, progress: Progress) -> None:
        """Compute it."""
        since = time.perf_counter()
        with _whole():
            dataset = self.function(**self.arguments)
        seconds = time.perf_counter() - since
        manifest = {"computation": self.identity(seed), "seconds": seconds, "environment": provenance()}
        write_arrays(folder, dataset, manifest)

    def dataset(self, folder: Path) -> xr.Dataset:
        """What the function returned."""
        return read_arrays(folder)

    def seconds(self, folder: Path) -> float:
        """What the function took."""
        return float(Record.open(folder).manifest["seconds"])


@contextmanager
def _whole() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end if inside someone has asked to stop.

    `evolve` takes the request for itself and returns what it has; a function that calls it would go on with a run
    that is cut short, and its result would be kept as if it were whole. Python notes every signal that is handled,
    by whomever, in the wakeup descriptor.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted, note = socketpair()
    with noted, note:
        note.setblocking(False)
        before = signal.set_wakeup_fd(note.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
        note.shutdown(SHUT_WR)
        signals = noted.recv(4096)
    if signal.SIGINT in signals or signal.SIGTERM in signals:
        raise KeyboardInterrupt


@cache
def _source(name: str) -> str:
    """The text of a module and of those of its folder that it takes something from, at first or second hand."""
    folder = name.rpartition(".")[0]
    found: dict[str, str] = {}
    left = [name]
    while left:
        module = sys.modules.get(left.pop())
        if module is None or module.__name__ in found:
            continue
        found[module.__name__] = inspect.getsource(module)
        if folder:
            left += [other for other in _imported(found[module.__name__]) if other.startswith(f"{folder}.")]
    return "".join(found[name] for name in sorted(found))


def _imported(source: str) -> Iterator[str]:
    """The modules that a text imports, and what it imports from them, for that may be modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
