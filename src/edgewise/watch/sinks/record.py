"""Numbers in edgewise's own run store, where `edgewise show` and `ew.open_run` read them."""

import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import final

from edgewise.records import RecordWriter, Series, provenance

_PROCESS = "watched"
_CURVATURE = "loss / parameter²"

# As the probes of `evolve` name and measure the same quantities.
_KNOWN = (
    Series("loss", long_name="training loss, as it was given to the watch"),
    Series("critical_curvature", units=_CURVATURE, long_name="critical curvature of the optimiser"),
    Series("edge_ratio", units="1", long_name="edge ratio of the last reading of the step"),
    Series("effective_sharpness", units=_CURVATURE, long_name="largest eigenvalue of the effective Hessian"),
    Series("effective_sharpness_bound", units=_CURVATURE, long_name="its error bound"),
    Series("mean_square_sharpness", units=_CURVATURE, long_name="sharpness as near to its edge as batches are"),
    Series("batch_sharpness", units=_CURVATURE, long_name="batch sharpness"),
    Series("gradient_curvature", units=_CURVATURE, long_name="curvature along the gradient"),
    Series("secant_curvature", units=_CURVATURE, long_name="secant curvature of successive gradients"),
    Series(
        "critical_sharpness", units=_CURVATURE, long_name="critical sharpness, by line search along the update"
    ),
    Series("gradient_norm", units="loss / parameter", long_name="gradient norm"),
    Series("update_norm", units="parameter", long_name="norm of the update"),
    Series("spike", units="1", long_name="1 at a loss spike"),
)
_CRITICAL = "critical_curvature"
# Compared with lines of their own: those of an update, and one that depends on how much batches agree.
_ELSEWHERE = ("secant_curvature", "critical_sharpness", "batch_sharpness")


@final
class RunStore:
    """A run of the store, with one process called `watched`.

    It holds what was read and nothing that was not: there is no recipe, so it can be shown and opened but not
    resumed by edgewise, and its manifest says that it was watched. A reading is a series named without the
    `edgewise/` before it. The series `critical_curvature` is where the optimiser loses stability, with which a
    verdict compares the effective sharpness; what a reading along the update or of batches is to be compared with
    is another number and bears its name, as in `critical_sharpness_critical_curvature`.

    Args:
        root: the store; made if it is missing.
        name: a few words for the reader, as part of the folder's name.

    Raises:
        RecordError: if the folder cannot be written.

    Example:
        >>> import tempfile
        >>> import edgewise as ew
        >>> store = RunStore(tempfile.mkdtemp())
        >>> for step in range(1, 4):
        ...     store(step, {"edgewise/edge_ratio": step / 4})
        >>> store.close()
        >>> ew.open_run(store.path).edge_ratio.sel(process="watched").values.tolist()
        [0.25, 0.5, 0.75]
    """

    def __init__(self, root: str | Path = "runs", name: str = "watched") -> None:
        manifest = {
            "watched": True,
            "critical_formulas": {_PROCESS: "the critical curvature"},
            "environment": provenance(),
        }
        self._writer = RecordWriter.create(root, name, manifest)
        self._declared = {series.name for series in _KNOWN}
        self._writer.declare(*_KNOWN)
        # In lists, since the finalizer may not hold on to the sink.
        self._last, self._said = [0], list[str]()
        self._finish = weakref.finalize(self, _finish, self._writer, self._last, self._said)

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self._writer.path

    def __repr__(self) -> str:
        return f"RunStore of {self.path}"

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add the readings of a step."""
        readings = {name.removeprefix("edgewise/").replace("-", "_"): value for name, value in numbers.items()}
        kind = next((name for name in readings if name in _ELSEWHERE), None)
        if kind is not None and _CRITICAL in readings:
            readings[f"{kind}_{_CRITICAL}"] = readings.pop(_CRITICAL)
        fresh = [Series(name) for name in readings if name not in self._declared]
        self._writer.declare(*fresh)
        self._declared |= {series.name for series in fresh}
        self._writer.append(_PROCESS, step, readings)
        self._last[0] = step

    def close(self, verdict: object = None) -> None:
        """Note how the watching ended, and let go of the run; closing twice does nothing.

        Args:
            verdict: what the watch said last, to be shown with the run.
        """
        if verdict is not None:
            self._said.append(str(verdict))
        self._finish()


def _finish(writer: RecordWriter, last: list[int], said: list[str]) -> None:
    """Also when the process ends, or the sink is forgotten."""
    for words in said:
        writer.event(last[0], _PROCESS, "verdict", words)
    writer.event(last[0], _PROCESS, "finished", f"The watch was closed; its last numbers are of step {last[0]}.")
    writer.close()
