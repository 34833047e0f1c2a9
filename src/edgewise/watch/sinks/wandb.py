"""Numbers in Weights & Biases, by `Run.log`."""

from collections.abc import Mapping
from typing import Any, final

from edgewise.watch.library import library

_STEP = "edgewise/step"


@final
class WeightsAndBiases:
    """Numbers under `edgewise/…` in the history of a run, drawn against `edgewise/step`.

    A row of that history belongs to whoever made the run. In a run of the reader's own the numbers therefore
    join the row that is open and go out with the reader's next `log`; of several readings between two rows the
    last one stays (a spike stays a spike). So neither the reader's step axis moves, nor is a later
    `log(…, step=…)` dropped for counting backwards. In a run opened here every reading is a row.

    Args:
        run: the run to log to; None takes the one that is active at the first reading, and opens one in the
            project edgewise if there is none (`WANDB_MODE=offline` keeps it on this machine).

    Raises:
        LibraryError: if wandb is not installed.
    """

    def __init__(self, run: Any = None) -> None:
        self._wandb = library("wandb", "wandb", "logging to Weights & Biases")
        self._run = run
        self._ours = False
        self._row: tuple[int, float] = (-1, 0.0)

    def __repr__(self) -> str:
        return "WeightsAndBiases()"

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers of a step."""
        if self._row[0] < 0:
            self._open()
        if self._ours:
            self._run.log({_STEP: step, **numbers}, step=step)
            self._row = (step, 0.0)
            return
        row = self._run.step
        spike = max(numbers.get("edgewise/spike", 0.0), self._row[1] if self._row[0] == row else 0.0)
        self._row = (row, spike)
        self._run.log({_STEP: step, **numbers, **({"edgewise/spike": spike} if spike else {})}, commit=False)

    def close(self) -> None:
        """Finish the run if it was opened here; closing twice does nothing."""
        if self._ours:
            self._ours = False
            self._run.finish()

    def _open(self) -> None:
        run = self._run or self._wandb.run
        if run is None:
            run, self._ours = self._wandb.init(project="edgewise"), True
        run.define_metric(_STEP, hidden=True)
        run.define_metric("edgewise/*", step_metric=_STEP)
        self._run = run
