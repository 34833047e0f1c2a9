"""Disks that are full, folders that are closed: the real thing, not mocks of it."""

from pathlib import Path

import pytest
import torch

from conftest import LOSS
from edgewise.foundation import RecordError
from edgewise.records import Record, RecordWriter, list_records


def fill(disk: Path, leave: int = 0) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - leave))
    return filler


def test_a_run_cannot_start_on_a_full_disk(small_disk: Path) -> None:
    fill(small_disk, leave=8192)
    with pytest.raises(RecordError, match="the disk is full") as caught:
        RecordWriter.create(small_disk / "runs", "x", {})
    assert "df -h" in caught.value.fix
    assert list((small_disk / "runs").iterdir()) == []


def test_a_file_in_the_place_of_the_store_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"file: a file lies where a folder is needed.*--store"):
        RecordWriter.create(tmp_path / "file", "x", {})


def test_a_disk_that_fills_up_costs_the_last_rows_only(small_disk: Path) -> None:
    writer = RecordWriter.create(small_disk, "x", {})
    writer.declare(LOSS)
    for step in range(100):
        writer.append("gd", step, {"loss": 1.0})
    writer.flush()
    filler = fill(small_disk)
    written = 100
    with pytest.raises(RecordError, match=r"the disk is full.*what was written before is kept"):
        for written in range(100, 100_000):
            writer.append("gd", written, {"loss": 1.0})
            if written % 50 == 0:
                writer.flush()
    assert len(Record.open(writer.path).dataset().step) >= 100

    # With space again the same writer goes on.
    filler.unlink()
    for step in range(100, written + 1):
        writer.append("gd", step, {"loss": 2.0})
    writer.close()
    assert Record.open(writer.path).dataset().step.values.tolist() == list(range(written + 1))


def test_closing_on_a_full_disk_says_so_and_lets_go(small_disk: Path) -> None:
    writer = RecordWriter.create(small_disk, "x", {})
    writer.declare(LOSS)
    filler = fill(small_disk)
    with pytest.raises(RecordError, match="the disk is full"):
        for step in range(100_000):
            writer.append("gd", step, {"loss": 1.0})
            if step % 5000 == 4999:
                writer.close()
                writer = RecordWriter.reopen(writer.path, step + 1)
    filler.unlink()
    if Record.open(writer.path).writer is not None:
        writer.close()
    RecordWriter.reopen(writer.path, 0).close()


def test_a_checkpoint_that_does_not_fit_leaves_the_others(small_disk: Path) -> None:
    with RecordWriter.create(small_disk, "x", {}) as writer:
        writer.checkpoint(1, {"w": torch.ones(10)}, "")
        with pytest.raises(RecordError, match=r"writing the checkpoint .*step-00000002.*the disk is full"):
            writer.checkpoint(2, {"w": torch.ones(1_000_000)}, "")
        assert [p.name for p in (writer.path / "checkpoints").iterdir()] == ["step-00000001.safetensors"]
        writer.checkpoint(3, {"w": torch.ones(10)}, "")
    assert Record.open(writer.path).checkpoints() == (1, 3)


def test_a_quota_is_told_as_such(root: Path, file_size_limit) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        writer.declare(LOSS)
        writer.checkpoint(1, {"w": torch.ones(10)}, "")
        with (
            file_size_limit(100_000),
            pytest.raises(RecordError, match="the disk is full, or a quota or file-size limit"),
        ):
            writer.checkpoint(2, {"w": torch.ones(100_000)}, "")
        with file_size_limit(150_000), pytest.raises(RecordError, match=r"series\.sqlite: the disk"):
            for step in range(100_000):
                writer.append("gd", step, {"loss": 1.0})
                if step % 10 == 0:
                    writer.flush()
        written = len(Record.open(writer.path).dataset().step)
        assert 0 < written <= step + 1
        writer.append("gd", 100_000, {"loss": 1.0})
    assert Record.open(writer.path).checkpoints() == (1,)
    assert Record.open(writer.path).dataset().step.values[-1] == 100_000


def test_a_store_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"starting a run in .*file/runs: a file lies where a folder is needed"):
        RecordWriter.create(tmp_path / "file" / "runs", "x", {})


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="starting a run in"):
        RecordWriter.create(tmp_path / "file", "x", {})
    with pytest.raises(RecordError, match="listing the runs in"):
        list_records(tmp_path / "file")


def test_a_read_only_store(tmp_path: Path, read_only) -> None:
    with read_only(tmp_path):
        with pytest.raises(RecordError, match="writing there is not permitted") as caught:
            RecordWriter.create(tmp_path, "x", {})
        assert "--store" in caught.value.fix
        with pytest.raises(RecordError, match="writing there is not permitted"):
            RecordWriter.create(tmp_path / "runs", "x", {})


def test_a_read_only_run_cannot_be_resumed(run: Path, read_only) -> None:
    with read_only(run), pytest.raises(RecordError, match="not permitted"):
        RecordWriter.reopen(run, 5)
    assert len(Record.open(run).dataset().step) == 10
