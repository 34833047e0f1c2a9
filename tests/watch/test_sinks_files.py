"""Sinks that stand on nothing but edgewise: a table, and the run store; and the sentence for a missing library."""

import csv
import math
import sys
from pathlib import Path

import pytest

import edgewise as ew
from edgewise.foundation import RecordError, SettingError
from edgewise.records import Record
from edgewise.watch.library import LibraryError, library
from edgewise.watch.sinks import CSVFile, RunStore


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestCSVFile:
    def test_numbers_come_back_bit_for_bit(self, tmp_path: Path) -> None:
        table = CSVFile(tmp_path / "deep" / "watch.csv")
        values = [1 / 3, math.pi * 1e-300, -0.0, math.inf, math.nan]
        for step, value in enumerate(values):
            table(step, {"x": value})
        read = [float(row["x"]) for row in rows(tmp_path / "deep" / "watch.csv")]
        assert [x.hex() for x in read] == [x.hex() for x in values]

    def test_a_number_that_comes_later_is_a_new_column(self, tmp_path: Path) -> None:
        path = tmp_path / "watch.csv"
        table = CSVFile(path)
        table(1, {"a": 1.0})
        table(2, {"a": 2.0, "b": 3.0})
        table(3, {"b": 4.0})
        assert rows(path) == [
            {"step": "1", "a": "1.0", "b": ""},
            {"step": "2", "a": "2.0", "b": "3.0"},
            {"step": "3", "a": "", "b": "4.0"},
        ]
        assert [file.name for file in tmp_path.iterdir()] == ["watch.csv"]

    def test_calls_for_one_step_share_its_row(self, tmp_path: Path) -> None:
        path = tmp_path / "watch.csv"
        table = CSVFile(path)
        table(1, {"a": 123456.789, "b": 1.0})
        table(1, {"b": 2.0})  # read again: the later one counts
        table(1, {"c": 3.0})
        table(2, {"a": 4.0})
        table(2, {"c": 5.0})
        table(3, {"a": 6.0})
        assert rows(path) == [
            {"step": "1", "a": "123456.789", "b": "2.0", "c": "3.0"},
            {"step": "2", "a": "4.0", "b": "", "c": "5.0"},
            {"step": "3", "a": "6.0", "b": "", "c": ""},
        ]

    def test_a_shorter_row_in_the_place_of_a_longer_one_leaves_nothing_behind(self, tmp_path: Path) -> None:
        path = tmp_path / "watch.csv"
        table = CSVFile(path)
        table(1, {"a": 0.1234567890123456})
        table(1, {"a": 1.0})
        assert path.read_text() == "step,a\n1,1.0\n"

    def test_a_file_goes_on_where_it_ended(self, tmp_path: Path) -> None:
        path = tmp_path / "watch.csv"
        CSVFile(path)(1, {"a": 1.0})
        table = CSVFile(path)
        table(1, {"a": 2.0})  # the same step in another sitting is another row
        table(2, {"b": 3.0})
        assert [tuple(row.values()) for row in rows(path)] == [
            ("1", "1.0", ""),
            ("1", "2.0", ""),
            ("2", "", "3.0"),
        ]

    def test_a_row_that_was_cut_short_is_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "watch.csv"
        path.write_text("step,a\n1,1.5\n2,2.")
        CSVFile(path)(3, {"a": 3.5})
        assert path.read_text() == "step,a\n1,1.5\n3,3.5\n"

    @pytest.mark.parametrize("text", ["name,value\nx,1\n", "no line break"])
    def test_a_file_of_somebody_else_is_left_alone(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "watch.csv"
        path.write_text(text)
        with pytest.raises(SettingError, match=r"first column is not 'step'.*Type another path"):
            CSVFile(path)
        assert path.read_text() == text

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(SettingError, match="the file cannot be used"):
            CSVFile(tmp_path)


class TestRunStore:
    def test_it_is_listed_and_opened_like_any_run(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path, "my model")
        store(1, {"edgewise/gradient_norm": 3.0})
        store(5, {"edgewise/edge_ratio": 0.5, "edgewise/critical_curvature": 20.0})
        store(5, {"edgewise/effective_sharpness": 10.0, "edgewise/loss": 1.0})
        store.close()
        store.close()
        run = ew.open_run(store.path)
        assert "my-model" in run.record.name
        one = run.dataset.sel(process="watched")
        assert one["step"].values.tolist() == [1, 5]
        assert one["edge_ratio"].values[1] == 0.5
        assert math.isnan(one["edge_ratio"].values[0])
        assert one["effective_sharpness"].sel(step=5) == 10.0
        assert one["effective_sharpness"].attrs["units"] == "loss / parameter²"
        assert str(run.outcomes["watched"]) == "The watch was closed; its last numbers are of step 5."

    def test_a_number_it_has_not_heard_of_is_a_series_too(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path)
        store(1, {"temperature": 0.25})
        store.close()
        assert ew.open_run(store.path).temperature.values.tolist() == [[0.25]]

    def test_the_name_of_a_series_can_be_typed(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path)
        store(1, {"edgewise/mean-square_sharpness": 2.0})
        store.close()
        assert ew.open_run(store.path).mean_square_sharpness.values.tolist() == [[2.0]]

    def test_its_verdict_rests_on_what_was_read(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path)
        for step in range(100):
            readings = {"critical_curvature": 20.0, "effective_sharpness": 5.0, "effective_sharpness_bound": 0.01}
            store(step, {f"edgewise/{name}": value for name, value in readings.items()})
            store(step, {"edgewise/critical_sharpness": 21.0, "edgewise/critical_curvature": 2.0})
            store(step, {"edgewise/loss": 1 - step / 200})
        store.close()
        run = ew.open_run(store.path)
        assert set(run.critical_curvature.values.ravel()) == {20.0}
        assert set(run.critical_sharpness_critical_curvature.values.ravel()) == {2.0}
        assert run.verdict().state == "stable"

    def test_the_last_word_of_the_watch_is_kept(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path)
        store(7, {"edgewise/mean_square_sharpness": 3.0, "edgewise/critical_curvature": 20.0})
        store(8, {"edgewise/batch_sharpness": 3.0, "edgewise/critical_curvature": 10.0})
        store.close("Stable at step 7.")
        run = ew.open_run(store.path)
        said = [event.text for event in run.record.events if event.kind == "verdict"]
        assert said == ["Stable at step 7."]
        assert run.critical_curvature.sel(step=7).values.tolist() == [20.0]
        # What batches are compared with depends on how much they agree.
        assert run.batch_sharpness_critical_curvature.sel(step=8).values.tolist() == [10.0]
        assert run.verdict().state == "cannot tell"

    def test_nothing_is_claimed_that_was_not_read(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path)
        store(1, {"edgewise/critical_sharpness": 3.0})
        store.close()
        run = ew.open_run(store.path)
        assert run.manifest["watched"] is True
        assert "recipe" not in run.manifest
        with pytest.raises(RecordError, match="it is a training that was watched"):
            _ = run.recipe

    def test_forgetting_it_closes_it(self, tmp_path: Path) -> None:
        store = RunStore(tmp_path)
        store(7, {"loss": 1.0})
        path = store.path
        del store
        record = Record.open(path)
        assert record.writer is None
        assert [event.text for event in record.events] == ["The watch was closed; its last numbers are of step 7."]


def test_a_sink_is_called_by_its_name_in_a_sentence(tmp_path: Path) -> None:
    assert repr(CSVFile(tmp_path / "watch.csv")) == f"CSVFile({str(tmp_path / 'watch.csv')!r})"
    store = RunStore(tmp_path)
    assert repr(store) == f"RunStore of {store.path}"
    store.close()


class TestLibrary:
    def test_a_missing_one_is_missed_in_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(LibraryError) as caught:
            library("no_such_library.part", "thing", "logging to a thing")
        assert str(caught.value) == (
            "logging to a thing: no_such_library is not installed. Type pip install 'edgewise[thing]'."
        )
        assert isinstance(caught.value, ImportError)

    def test_one_that_does_not_import_says_why(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "broken_library.py").write_text("raise RuntimeError('operator nms does not exist')\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(
            LibraryError, match=r"installed but cannot be imported \(operator nms does not exist\)"
        ):
            library("broken_library", "thing", "logging to a thing")
        sys.modules.pop("broken_library", None)
