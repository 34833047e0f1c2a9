"""Numbers in MLflow, by `mlflow.log_metrics`."""

from collections.abc import Mapping
from typing import Any, final

from edgewise.foundation import SettingError, first_line
from edgewise.watch.library import library


@final
class MLflow:
    """Metrics under `edgewise/…` at the optimiser's steps.

    Where MLflow keeps runs says MLFLOW_TRACKING_URI. The client that comes with edgewise[mlflow] knows servers
    and, with MLFLOW_ALLOW_FILE_STORE=true, folders; the database that MLflow takes by itself needs
    `pip install mlflow`.

    Args:
        run: the run to log to, or its id; None takes the one that is active at the first reading, and starts one
            if there is none, as MLflow's own functions do.

    Raises:
        LibraryError: if mlflow is not installed.
        SettingError: at the first reading, if there is no run and none can be started.
    """

    def __init__(self, run: Any = None) -> None:
        self._mlflow = library("mlflow", "mlflow", "logging to MLflow")
        self._run_id: str | None = run.info.run_id if hasattr(run, "info") else run
        self._ours = False

    def __call__(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers of a step."""
        if self._run_id is None:
            active = self._mlflow.active_run()
            self._run_id = (active or self._start()).info.run_id
            self._ours = active is None
        self._mlflow.log_metrics(dict(numbers), step=step, run_id=self._run_id)

    def close(self) -> None:
        """End the run if it was started here and is still the active one; closing twice does nothing."""
        if self._ours:
            self._ours = False
            active = self._mlflow.active_run()
            if active is not None and active.info.run_id == self._run_id:
                self._mlflow.end_run()

    def __repr__(self) -> str:
        return "MLflow()"

    def _start(self) -> Any:
        try:
            return self._mlflow.start_run()
        except Exception as error:  # MLflow's own, those of its stores, of sqlalchemy and of the network
            place = self._mlflow.get_tracking_uri()
            raise SettingError(
                f"logging to MLflow in {place}",
                f"it cannot keep runs there ({first_line(error)})",
                "Type pip install mlflow for its database; or set MLFLOW_TRACKING_URI to that of a server, or to "
                "mlruns beside MLFLOW_ALLOW_FILE_STORE=true",
            ) from error
