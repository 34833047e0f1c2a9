"""Sinks against the libraries themselves: what was written is read back by each library's own reader."""

import json
import sqlite3
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgewise.foundation import SettingError
from edgewise.watch.sinks import MLflow, TensorBoard, Trackio, WeightsAndBiases

NUMBERS = {"edgewise/edge_ratio": 0.25, "edgewise/update_norm": 3.0}


class TestTensorBoard:
    def scalars(self, folder: Path) -> dict[str, list[tuple[int, float]]]:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder)).Reload()
        return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]}

    def test_in_a_writer_of_the_reader(self, tmp_path: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(tmp_path)
        sink = TensorBoard(writer)
        sink(3, NUMBERS)
        sink.close()  # what was not opened here stays open
        writer.add_scalar("loss", 1.0, 4)
        writer.close()
        assert self.scalars(tmp_path) == {
            "edgewise/edge_ratio": [(3, 0.25)],
            "edgewise/update_norm": [(3, 3.0)],
            "loss": [(4, 1.0)],
        }

    def test_in_a_folder(self, tmp_path: Path) -> None:
        sink = TensorBoard(tmp_path / "here")
        sink(3, NUMBERS)
        sink(7, NUMBERS)
        sink.close()
        sink.close()
        assert self.scalars(tmp_path / "here")["edgewise/edge_ratio"] == [(3, 0.25), (7, 0.25)]

    def test_where_it_is_usual(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        sink = TensorBoard()
        sink(3, NUMBERS)
        del sink  # forgotten, and yet nothing is lost
        (folder,) = (tmp_path / "runs").iterdir()
        assert folder.name.endswith("-edgewise")
        assert self.scalars(folder)["edgewise/update_norm"] == [(3, 3.0)]


def _records(data: bytes) -> Iterator[bytes]:
    """What the file of an offline run holds: seven bytes, then a log as LevelDB writes it, in blocks of 32 KiB."""
    at, pieces = 7, b""
    while at + 7 <= len(data):
        if at % 2**15 > 2**15 - 7:  # too little room for a record's head
            at += -at % 2**15
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])  # behind a checksum
        pieces += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield pieces
            pieces = b""


class TestWeightsAndBiases:
    @pytest.fixture
    def wandb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        import wandb

        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("WANDB_SILENT", "true")
        yield wandb
        if wandb.run is not None:
            wandb.run.finish()

    def history(self, run: Any) -> list[dict[str, float]]:
        """The rows of an offline run, as they would be sent; its file is whole some time after `finish`."""
        from wandb.proto import wandb_internal_pb2

        kinds, rows = [], []
        for _ in range(300):
            kinds, rows = [], []
            for data in _records(Path(run.settings.sync_file).read_bytes()):
                record = wandb_internal_pb2.Record()
                record.ParseFromString(data)
                kinds.append(record.WhichOneof("record_type"))
                if kinds[-1] == "history":
                    items = {
                        i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item
                    }
                    rows.append({key: value for key, value in items.items() if not key.startswith("_")})
            if "exit" in kinds:
                break
            time.sleep(0.1)
        assert "exit" in kinds
        return rows

    def test_numbers_join_the_rows_of_the_reader(self, wandb: Any) -> None:
        run = wandb.init(project="test")
        sink = WeightsAndBiases(run)
        for step in range(3):
            run.log({"loss": 1.0})
            sink(10 * step, {"edgewise/edge_ratio": step / 4})
        sink.close()  # the reader's own run goes on
        assert run.step == 3
        run.log({"loss": 2.0})
        run.finish()
        assert self.history(run) == [
            {"loss": 1.0},
            {"loss": 1.0, "edgewise/step": 0, "edgewise/edge_ratio": 0.0},
            {"loss": 1.0, "edgewise/step": 10, "edgewise/edge_ratio": 0.25},
            {"loss": 2.0, "edgewise/step": 20, "edgewise/edge_ratio": 0.5},
        ]

    def test_a_reader_who_counts_epochs_loses_nothing(self, wandb: Any) -> None:
        """Rows of our own would move the counter on, and wandb drops what counts backwards."""
        run = wandb.init(project="test")
        sink = WeightsAndBiases(run)
        for epoch in range(3):
            for i in range(5):
                sink(5 * epoch + i, {"edgewise/edge_ratio": i / 4, "edgewise/spike": float(i == 2)})
            run.log({"loss": float(epoch)}, step=epoch)
        run.finish()
        rows = self.history(run)
        assert [row["loss"] for row in rows] == [0.0, 1.0, 2.0]
        assert rows[0]["edgewise/edge_ratio"] == 1.0
        assert rows[0]["edgewise/spike"] == 1.0

    def test_in_a_run_of_its_own_every_reading_is_a_row(self, wandb: Any) -> None:
        sink = WeightsAndBiases()
        sink(3, NUMBERS)
        run = wandb.run
        sink(3, {"edgewise/gradient_norm": 1.0})
        sink(9, NUMBERS)
        sink.close()
        sink.close()
        assert wandb.run is None
        rows = self.history(run)
        assert [row["edgewise/step"] for row in rows] == [3, 9]
        assert set(rows[0]) == {"edgewise/step", "edgewise/gradient_norm", *NUMBERS}

    def test_the_active_run_is_taken(self, wandb: Any) -> None:
        sink = WeightsAndBiases()
        run = wandb.init(project="test")
        sink(3, NUMBERS)
        sink.close()
        assert wandb.run is run
        run.log({"loss": 1.0})
        run.finish()
        assert self.history(run) == [
            {"loss": 1.0, "edgewise/step": 3, "edgewise/edge_ratio": 0.25, "edgewise/update_norm": 3.0}
        ]


class TestMLflow:
    @pytest.fixture
    def mlflow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        # Without a server mlflow-skinny, the client, writes to files only; that is in maintenance, and says so.
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        import mlflow

        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
        yield mlflow
        while mlflow.active_run() is not None:
            mlflow.end_run()
        mlflow.set_tracking_uri(before)

    def metrics(self, mlflow: Any, run_id: str, name: str) -> list[tuple[int, float]]:
        return [(m.step, m.value) for m in mlflow.MlflowClient().get_metric_history(run_id, name)]

    def test_in_a_run_of_the_reader(self, mlflow: Any) -> None:
        run = mlflow.start_run()
        for sink in (MLflow(run), MLflow(run.info.run_id), MLflow()):
            sink(3, NUMBERS)
            sink.close()
        assert mlflow.active_run().info.run_id == run.info.run_id
        assert self.metrics(mlflow, run.info.run_id, "edgewise/edge_ratio") == [(3, 0.25)] * 3

    def test_it_stays_with_the_run_it_began_with(self, mlflow: Any) -> None:
        run = mlflow.start_run()
        sink = MLflow()
        sink(3, NUMBERS)
        with mlflow.start_run(nested=True) as child:
            sink(4, NUMBERS)
        assert self.metrics(mlflow, run.info.run_id, "edgewise/update_norm") == [(3, 3.0), (4, 3.0)]
        assert mlflow.MlflowClient().get_run(child.info.run_id).data.metrics == {}

    def test_in_a_run_of_its_own(self, mlflow: Any) -> None:
        sink = MLflow()
        assert mlflow.active_run() is None
        sink(3, NUMBERS)
        run_id = mlflow.active_run().info.run_id
        sink.close()
        sink.close()
        assert mlflow.active_run() is None
        assert self.metrics(mlflow, run_id, "edgewise/update_norm") == [(3, 3.0)]
        assert mlflow.MlflowClient().get_run(run_id).info.status == "FINISHED"

    def test_where_no_run_can_be_kept_it_says_what_to_type(self, mlflow: Any) -> None:
        mlflow.set_tracking_uri("nowhere://at/all")
        sink = MLflow()  # the place may yet be set
        with pytest.raises(
            SettingError,
            match=r"^logging to MLflow in nowhere://at/all: it cannot keep runs there \(.*nowhere.*\)\. "
            r"Type pip install mlflow for its database; or set MLFLOW_TRACKING_URI .*_ALLOW_FILE_STORE=true\.$",
        ):
            sink(3, NUMBERS)
        sink.close()

    def test_it_ends_no_run_but_its_own(self, mlflow: Any) -> None:
        sink = MLflow()
        sink(3, NUMBERS)
        mlflow.end_run()
        run = mlflow.start_run()
        sink.close()
        assert mlflow.active_run().info.run_id == run.info.run_id


# trackio opens its SQLite files in threads of its own, and leaves them to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
class TestTrackio:
    @pytest.fixture
    def trackio(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        import trackio

        # Read from TRACKIO_DIR at import, which may have been in another test.
        for module in (trackio, trackio.utils, trackio.sqlite_storage):
            monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path)
        yield trackio
        if trackio.context_vars.current_run.get() is not None:
            trackio.finish()

    def rows(self, folder: Path) -> list[tuple[str, int, dict[str, float]]]:
        (path,) = folder.glob("*.db")
        connection = sqlite3.connect(path)
        try:
            found = connection.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
        finally:
            connection.close()
        return [(name, step, json.loads(metrics)) for name, step, metrics in found]

    def test_in_a_run_of_the_reader(self, trackio: Any, tmp_path: Path) -> None:
        run = trackio.init(project="test", name="mine", auto_log_cpu=False)
        for sink in (Trackio(run), Trackio()):
            sink(3, NUMBERS)
            sink.close()
        assert trackio.context_vars.current_run.get() is run
        trackio.finish()
        assert self.rows(tmp_path) == [("mine", 3, NUMBERS)] * 2

    def test_in_a_run_of_its_own(self, trackio: Any, tmp_path: Path) -> None:
        sink = Trackio()
        sink(3, NUMBERS)
        sink(9, NUMBERS)
        sink.close()
        sink.close()
        assert trackio.context_vars.current_run.get() is None
        assert (tmp_path / "edgewise.db").exists()
        assert [step for _, step, _ in self.rows(tmp_path)] == [3, 9]


@pytest.mark.parametrize("sink", [MLflow, TensorBoard, Trackio, WeightsAndBiases])
def test_a_sink_is_called_by_its_name_in_a_sentence(
    sink: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert repr(sink("a-place-or-a-run")) == f"{sink.__name__}()"


@pytest.mark.parametrize(
    ("sink", "module", "sentence"),
    [
        (TensorBoard, "torch.utils.tensorboard", "logging to TensorBoard"),
        (WeightsAndBiases, "wandb", "logging to Weights & Biases"),
        (MLflow, "mlflow", "logging to MLflow"),
        (Trackio, "trackio", "logging to Trackio"),
    ],
)
def test_a_missing_library_is_missed_when_the_sink_is_made(
    sink: type, module: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # what Python itself takes for "not there"
    with pytest.raises(ImportError, match=rf"^{sentence}: .*pip install 'edgewise\["):
        sink()
