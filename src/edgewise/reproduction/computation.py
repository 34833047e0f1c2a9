"""A computation: a function that returns labelled arrays, for toys whose dynamics is a map of a few numbers."""

import hashlib
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
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
        if "<" in self.function.__qualname__:
            raise SettingError(
                f"the function {self.function.__qualname__}",
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


@cache
def _source(name: str) -> str:
    """The text of a module and of those of its folder that it takes functions or classes from."""
    folder = name.rpartition(".")[0]
    found: dict[str, str] = {}
    left = [name]
    while left:
        module = sys.modules.get(left.pop())
        if module is None or module.__name__ in found:
            continue
        found[module.__name__] = inspect.getsource(module)
        for value in vars(module).values():
            origin = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
            if folder and isinstance(origin, str) and origin.startswith(f"{folder}."):
                left.append(origin)
    return "".join(found[name] for name in sorted(found))
