"""The table of readings."""

import csv
import math

import numpy as np
import pytest

from edgewise.foundation import RecordError, SettingError
from edgewise.watch import KINDS, Reading, Readings


def reading(step=3, kind="effective sharpness", value=15.0, low=14.0, high=17.0, critical=20.0, lr=0.1):
    return Reading(
        step=step, kind=kind, value=value, low=low, high=high, critical=critical, lr=lr, passes=21.0, seconds=0.25
    )


def plain(step=4):
    return reading(step=step, kind="update norm", value=0.5, low=0.5, high=0.5, critical=None)


def test_the_edge_ratio_is_the_value_by_the_critical_curvature():
    assert reading().ratio == 0.75
    assert reading().ratio_bounds == (0.7, 0.85)
    assert plain().ratio is None
    assert plain().ratio_bounds is None
    assert reading(critical=0.0).ratio is None
    assert reading(critical=0.0).ratio_bounds is None
    assert reading(critical=math.inf).ratio == 0.0  # a step size of zero has no edge


def test_a_reading_in_a_line():
    assert str(reading()) == "step 3: effective sharpness 15 (14 to 17), 0.75 of its critical value"
    assert str(plain()) == "step 4: update norm 0.5 (0.5 to 0.5)"


def test_a_sequence_of_rows():
    rows = [reading(), plain(), reading(step=9)]
    table = Readings(rows)
    assert len(table) == 3
    assert list(table) == rows
    assert table[0] is rows[0]
    assert table[-1] is rows[2]
    assert isinstance(table[1:], Readings)
    assert list(table[1:]) == rows[1:]
    assert rows[1] in table
    assert repr(table) == "Readings(3 rows)"
    assert len(Readings()) == 0


def test_it_does_not_change_with_the_list_that_it_was_made_of():
    rows = [reading()]
    table = Readings(rows)
    rows.append(plain())
    assert len(table) == 1


def test_those_of_one_kind():
    table = Readings([reading(), plain(), reading(step=9)])
    assert [row.step for row in table.of("effective sharpness")] == [3, 9]
    assert len(table.of("batch sharpness")) == 0
    for kind in KINDS:
        table.of(kind)
    with pytest.raises(
        SettingError, match=r"^readings of 'sharpness': nothing of that name is read\. Type one of"
    ):
        table.of("sharpness")


def test_a_column_as_numbers_with_nan_for_none():
    table = Readings([reading(), plain()])
    assert table.column("step").tolist() == [3.0, 4.0]
    assert table.column("ratio")[0] == 0.75
    assert np.isnan(table.column("ratio")[1])
    assert np.isnan(table.column("critical")[1])
    assert table.column("passes").dtype == np.float64
    assert Readings().column("value").shape == (0,)
    for bad in ("kind", "nothing", ""):
        with pytest.raises(SettingError, match=rf"^a column '{bad}': the table has no such numbers\. Type one of"):
            table.column(bad)


def test_the_table_in_print():
    assert str(Readings()) == "no readings yet"
    lines = str(Readings([reading(), plain()])).splitlines()
    assert lines[0].split() == ["step", "what", "value", "low", "high", "critical", "ratio"]
    assert lines[1].split() == ["3", "effective", "sharpness", "15", "14", "17", "20", "0.750"]
    assert lines[2].split() == ["4", "update", "norm", "0.5", "0.5", "0.5"]
    assert len({len(line) for line in str(Readings([reading(kind=kind) for kind in KINDS])).splitlines()}) == 1


def test_a_file_that_gives_the_same_numbers_back(tmp_path):
    rows = [reading(value=1 / 3, high=math.inf), plain()]
    path = tmp_path / "readings.csv"
    Readings(rows).to_csv(path)
    with path.open(newline="") as file:
        kept = list(csv.DictReader(file))
    assert list(kept[0]) == [
        "step", "kind", "value", "low", "high", "critical", "lr", "passes", "seconds", "ratio",
    ]  # fmt: skip
    assert kept[0]["kind"] == "effective sharpness"
    assert float(kept[0]["value"]) == 1 / 3
    assert float(kept[0]["high"]) == math.inf
    assert float(kept[0]["ratio"]) == rows[0].ratio
    assert kept[1]["critical"] == ""


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(
        RecordError, match=r"it cannot be written \(No such file or directory\)\. Give another path\."
    ):
        Readings([reading()]).to_csv(tmp_path / "nowhere" / "readings.csv")
