import json
from pathlib import Path

import pytest

from edgewise.foundation import RecordError
from edgewise.records import Record, RecordWriter, find_record, list_records


@pytest.fixture
def three(root: Path) -> list[Path]:
    paths = []
    for minute, slug in enumerate(["digits", "cifar10-mlp", "cifar10-vgg"]):
        with RecordWriter.create(root, slug, {}) as writer:
            manifest = json.loads((writer.path / "run.json").read_text())
        manifest["created"] = f"2026-01-31T12:0{minute}:00+00:00"
        name = f"20260131T120{minute}00Z-{slug}-000{minute}"
        (writer.path / "run.json").write_text(json.dumps(manifest))
        paths.append(writer.path.rename(root / name))
    return paths


def test_runs_are_listed_newest_last(root: Path, three: list[Path]) -> None:
    renamed = three[2].rename(root / "a name that sorts first")
    listing = list_records(root)
    assert [record.path for record in listing.records] == [three[0], three[1], renamed]
    assert listing.broken == ()


def test_broken_runs_are_reported_and_other_folders_left_out(root: Path, three: list[Path]) -> None:
    (three[0] / "run.json").write_text("{")
    (three[1] / "run.json").unlink()
    (root / "figures").mkdir()
    (root / "notes.txt").write_text("mine")
    unfinished = root / ".20260131T120500Z-killed-in-create-0000"
    unfinished.mkdir()
    (unfinished / "series.sqlite").write_bytes(b"")
    listing = list_records(root)
    assert [record.path for record in listing.records] == [three[2]]
    assert [str(path / "run.json") in str(error) for path, error in zip(three, listing.broken, strict=False)] == [
        True,
        True,
    ]


def test_a_store_that_is_not_there(root: Path) -> None:
    with pytest.raises(RecordError, match=r"listing the runs in .*runs: it does not exist"):
        list_records(root)


def test_a_run_is_found_by_path_by_any_unique_part_or_as_the_latest(root: Path, three: list[Path]) -> None:
    for text, path in [
        (str(three[1]), three[1]),
        (three[0].name, three[0]),
        ("20260131T1201", three[1]),
        ("vgg", three[2]),
        ("0001", three[1]),
        ("latest", three[2]),
    ]:
        assert find_record(text, root) == Record.open(path)


def test_the_beginning_of_a_name_wins(root: Path, three: list[Path]) -> None:
    three[0].rename(root / "cifar10")
    assert find_record("cifar10", root).name == "cifar10"


def test_an_ambiguous_name_lists_the_candidates(root: Path, three: list[Path]) -> None:
    with pytest.raises(RecordError, match="2 runs have this in their names") as caught:
        find_record("cifar10", root)
    assert three[1].name in caught.value.fix
    assert three[2].name in caught.value.fix
    assert three[0].name not in caught.value.fix


def test_an_unknown_name_lists_what_there_is(root: Path, three: list[Path]) -> None:
    with pytest.raises(RecordError, match="no runs have this in their names") as caught:
        find_record("imagenet", root)
    assert all(path.name in caught.value.fix for path in three)


def test_a_long_list_is_cut(root: Path, three: list[Path]) -> None:
    for i in range(12):
        folder = root / f"x{i:02d}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"format_version": 1, "created": f"2027-{i:02d}"}))
    with pytest.raises(RecordError, match="12 runs") as caught:
        find_record("x", root)
    assert caught.value.fix == "Choose from " + ", ".join(f"x{i:02d}" for i in range(2, 12)) + " (the newest)"


def test_an_empty_store(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="there are no runs"):
        find_record("latest", tmp_path)


def test_a_folder_that_is_no_run_says_why(root: Path, three: list[Path]) -> None:
    (root / "figures").mkdir()
    for text in (root / "figures", "figures"):
        with pytest.raises(RecordError, match="it is not a run"):
            find_record(text, root)


def test_a_broken_run_asked_for_by_name_says_why(root: Path, three: list[Path]) -> None:
    (three[0] / "run.json").write_text("{")
    with pytest.raises(RecordError, match="it is not JSON"):
        find_record(three[0].name, root)


def test_a_folder_of_ones_own_does_not_hide_a_run(
    root: Path, three: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / "digits").mkdir()
    monkeypatch.chdir(root.parent)
    assert find_record("digits", "runs").name == three[0].name
    assert find_record(f"runs/{three[1].name}", "elsewhere").name == three[1].name
    monkeypatch.chdir(root)
    assert find_record(three[1].name, "elsewhere").name == three[1].name
