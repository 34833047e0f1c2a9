import json
import math
from datetime import datetime
from pathlib import Path

import pytest

from edgewise.foundation import RecordError
from edgewise.records import Record, RecordWriter


def test_the_manifest_comes_back_with_version_and_date(root: Path) -> None:
    given = {"recipe": {"noun": "edgewise.methods:GradientDescent", "η": [0.01, None, True]}, "seed": 2**60}
    with RecordWriter.create(root, "x", given) as writer:
        manifest = Record.open(writer.path).manifest
    assert datetime.fromisoformat(manifest["created"]).tzinfo is not None
    assert manifest == {"format_version": 1, "created": manifest["created"], **given}


@pytest.mark.parametrize("value", [math.nan, object(), {1, 2}])
def test_a_manifest_that_is_not_json_is_refused_and_leaves_nothing(root: Path, value: object) -> None:
    with pytest.raises(RecordError, match="a manifest that is not JSON"):
        RecordWriter.create(root, "x", {"value": value})
    assert list(root.iterdir()) == []


def test_the_keys_of_the_store_are_its_own(root: Path) -> None:
    with pytest.raises(RecordError, match="the store writes this key itself"):
        RecordWriter.create(root, "x", {"created": "yesterday"})


def test_a_missing_folder(root: Path) -> None:
    with pytest.raises(RecordError, match="there is no such folder"):
        Record.open(root / "nowhere")


def test_a_folder_that_is_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"it holds no run\.json, so it is not a run"):
        Record.open(tmp_path)


def test_a_file_is_not_a_run(run: Path) -> None:
    with pytest.raises(RecordError, match="not a run"):
        Record.open(run / "run.json")


def test_readings_without_a_manifest_are_told_apart_from_any_folder(run: Path) -> None:
    (run / "run.json").unlink()
    with pytest.raises(RecordError, match="it is missing, though the readings are there"):
        Record.open(run)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"format_version": 1, "crea', "it is not JSON"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"", "it is not JSON"),
        (b"[1, 2]", "it is not a JSON object"),
        (b"{}", "format_version or created is missing"),
        (b'{"format_version": "1", "created": ""}', "format_version or created is missing"),
    ],
)
def test_a_damaged_manifest(run: Path, text: bytes, why: str) -> None:
    (run / "run.json").write_bytes(text)
    with pytest.raises(RecordError, match=why) as caught:
        Record.open(run)
    assert str(run / "run.json") in str(caught.value)


@pytest.mark.parametrize("open_it", [Record.open, lambda path: RecordWriter.reopen(path, 0)])
def test_a_newer_format_is_refused_untouched(run: Path, open_it) -> None:
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "format_version": 2}))
    before = (run / "series.sqlite").read_bytes()
    with pytest.raises(RecordError, match="version 2, and this edgewise reads up to version 1") as caught:
        open_it(run)
    assert "pip install --upgrade edgewise" in caught.value.fix
    assert (run / "series.sqlite").read_bytes() == before


def test_reopening_leaves_the_manifest_alone(run: Path) -> None:
    before = (run / "run.json").read_bytes()
    RecordWriter.reopen(run, 3).close()
    assert (run / "run.json").read_bytes() == before
