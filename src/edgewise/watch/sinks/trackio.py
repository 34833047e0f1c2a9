"""Numbers in Trackio, by `trackio.log`."""

from collections.abc import Mapping
from typing import Any, final

from edgewise.watch.library import library


@final
class Trackio:
    """Metrics under `edgewise/…` at the optimiser's steps.

    Args:
        run: what `trackio.init` has returned; None takes the run that is current at the first reading, and opens
            one in the project edgewise if there is none.

    Raises:
        LibraryError: if trackio is not installed.
    """

    def __init__(self, run: Any = None) -> None:
        self._trackio = library("trackio", "trackio", "logging to Trackio")
        self._run = run
        self._ours = False

    def __repr__(self) -> str:
        return "Trackio()"

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers of a step."""
        if self._run is None:
            # trackio.init would end a run that is current.
            self._run = self._trackio.context_vars.current_run.get()
        if self._run is None:
            self._run, self._ours = self._trackio.init(project="edgewise", embed=False), True
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        """Finish the run if it was opened here; closing twice does nothing."""
        if self._ours:
            self._ours = False
            self._run.finish()
            if self._trackio.context_vars.current_run.get() is self._run:
                self._trackio.context_vars.current_run.set(None)
