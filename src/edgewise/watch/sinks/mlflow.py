"""Numbers in MLflow, by `mlflow.log_metrics`."""

from collections.abc import Mapping
from typing import Any, final

from edgewise.watch.library import library


@final
class MLflow:
    """Metrics under `edgewise/…` at the optimiser's steps.

    Args:
        run: the run to log to, or its id; None takes the one that is active at the first reading, and starts one
            if there is none, as MLflow's own functions do.

    Raises:
        LibraryError: if mlflow is not installed.
    """

    def __init__(self, run: Any = None) -> None:
        self._mlflow = library("mlflow", "mlflow", "logging to MLflow")
        self._run_id: str | None = run.info.run_id if hasattr(run, "info") else run
        self._ours = False

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers of a step."""
        if self._run_id is None:
            active = self._mlflow.active_run()
            self._ours = active is None
            self._run_id = (active or self._mlflow.start_run()).info.run_id
        self._mlflow.log_metrics(dict(numbers), step=step, run_id=self._run_id)

    def close(self) -> None:
        """End the run if it was started here and is still the active one; closing twice does nothing."""
        if self._ours:
            self._ours = False
            active = self._mlflow.active_run()
            if active is not None and active.info.run_id == self._run_id:
                self._mlflow.end_run()
