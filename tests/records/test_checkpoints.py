import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.foundation import RecordError, SettingError
from edgewise.records import Record, RecordWriter
from edgewise.records.checkpoints import checkpoint_path, read_checkpoint, write_checkpoint

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
]


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    bits = [t.contiguous().reshape(-1).view(torch.uint8) for t in (a, b)]
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*bits)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (2, 3, 4)], ids=str)
def test_tensors_come_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    # Random bits: NaNs with payloads, infinities and subnormals among them.
    random = torch.Generator().manual_seed(1)
    size = torch.empty(shape, dtype=dtype).nbytes
    bits = torch.randint(2 if dtype is torch.bool else 256, (size,), generator=random, dtype=torch.uint8)
    tensor = bits.view(dtype).reshape(shape)
    write_checkpoint(tmp_path, 5, {"a/b c": tensor}, "", pinned=False)
    back = read_checkpoint(tmp_path, 5).tensors
    assert list(back) == ["a/b c"]
    assert same_bits(back["a/b c"], tensor)


def test_views_tied_and_strided_tensors_are_written_as_values(tmp_path: Path) -> None:
    whole = torch.arange(12.0, requires_grad=True)
    given = {
        "head": whole[:5],
        "tail": whole[5:],
        "tied": whole,
        "again": whole,
        "every other": whole[::2],
        "transposed": whole.reshape(3, 4).T,
        "expanded": whole[:1].expand(4),
    }
    write_checkpoint(tmp_path, 1, given, "", pinned=False)
    back = read_checkpoint(tmp_path, 1).tensors
    assert back.keys() == given.keys()
    assert all(same_bits(back[name], tensor.detach()) for name, tensor in given.items())


def test_what_is_read_belongs_to_torch(run: Path) -> None:
    tensor = Record.open(run).checkpoint().tensors["w"]
    checkpoint_path(run, 8).unlink()
    tensor += 1
    assert torch.equal(tensor, torch.full((1000,), 9.0))


def test_the_state_comes_back_as_the_same_text(tmp_path: Path) -> None:
    state = '{"η": 0.1, "quote": "\\"", "nested": {"a": [1, 2.5e-300]}}\n'
    write_checkpoint(tmp_path, 1, {}, state, pinned=False)
    assert read_checkpoint(tmp_path, 1).state == state


def test_the_newest_is_the_default_and_others_can_be_asked_for(run: Path) -> None:
    record = Record.open(run)
    assert record.checkpoints() == (4, 8)
    newest = record.checkpoint()
    assert (newest.step, newest.state, newest.rejected) == (8, '{"at": 8}', ())
    assert record.checkpoint(4).state == '{"at": 4}'
    with pytest.raises(RecordError, match="no checkpoint of this step") as caught:
        record.checkpoint(5)
    assert caught.value.fix == "Choose from 4, 8"


def test_only_the_last_ones_and_the_pinned_ones_are_kept(root: Path) -> None:
    with RecordWriter.create(root, "x", {}, keep=3) as writer:
        for step in range(0, 80, 10):
            writer.checkpoint(step, {}, "", pin=step in (0, 20))
        assert Record.open(writer.path).checkpoints() == (0, 20, 50, 60, 70)


def test_at_least_one_checkpoint_is_kept(root: Path, run: Path) -> None:
    with pytest.raises(SettingError, match="keep=0"):
        RecordWriter.create(root, "x", {}, keep=0)
    with pytest.raises(SettingError, match="keep=0"):
        RecordWriter.reopen(run, 4, keep=0)
    assert len(list(root.iterdir())) == 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_cut_or_flipped_file_is_never_taken_for_a_sound_one(tmp_path_factory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("run")
    tensors, state = {"w": torch.arange(20.0), "v": torch.ones(3, dtype=torch.int64)}, '{"seed": 1}'
    write_checkpoint(folder, 7, tensors, state, pinned=False)
    path = checkpoint_path(folder, 7)
    sound = path.read_bytes()
    at = data.draw(st.integers(0, len(sound) - 1))
    flip = data.draw(st.integers(0, 255))
    path.write_bytes(sound[:at] if flip == 0 else sound[:at] + bytes([sound[at] ^ flip]) + sound[at + 1 :])
    try:
        back = read_checkpoint(folder, 7)
    except RecordError as error:
        assert str(path) in str(error)
        assert "damaged" in str(error)
    else:  # a change that JSON does not mind, such as one kind of white space for another
        assert back.state == state
        assert all(same_bits(back.tensors[name], tensor) for name, tensor in tensors.items())


def test_an_empty_file_is_damaged(run: Path) -> None:
    checkpoint_path(run, 8).write_bytes(b"")
    with pytest.raises(RecordError, match="the file is damaged"):
        Record.open(run).checkpoint(8)


def test_a_checkpoint_under_another_step_is_refused(run: Path) -> None:
    checkpoint_path(run, 4).rename(checkpoint_path(run, 9))
    with pytest.raises(RecordError, match="damaged"):
        Record.open(run).checkpoint(9)


def test_a_damaged_newest_is_passed_over_and_says_so(run: Path) -> None:
    path = checkpoint_path(run, 8)
    path.write_bytes(path.read_bytes()[:-3])
    found = Record.open(run).checkpoint()
    assert found.step == 4
    assert torch.equal(found.tensors["w"], torch.full((1000,), 4.0))
    (complaint,) = found.rejected
    assert str(path) in str(complaint)


def test_no_sound_checkpoint_at_all(run: Path) -> None:
    for step in (4, 8):
        checkpoint_path(run, step).write_bytes(b"nonsense")
    with pytest.raises(RecordError, match=r"step-00000008.*step-00000004") as caught:
        Record.open(run).checkpoint()
    assert "from its recipe" in caught.value.fix


def test_a_run_without_checkpoints(root: Path) -> None:
    with RecordWriter.create(root, "x", {}) as writer:
        record = Record.open(writer.path)
        (record.path / "checkpoints").rmdir()
        assert record.checkpoints() == ()
        with pytest.raises(RecordError, match="it holds no checkpoint"):
            record.checkpoint()
        with pytest.raises(RecordError, match="no checkpoint of this step") as caught:
            record.checkpoint(3)
        assert "none at all" in caught.value.fix
        writer.checkpoint(3, {}, "")
        assert record.checkpoints() == (3,)


def test_a_pickle_in_the_place_of_a_checkpoint_is_not_executed(run: Path, tmp_path: Path) -> None:
    canary = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (canary,)

    torch.save({"w": Bomb()}, checkpoint_path(run, 8))
    assert Record.open(run).checkpoint().step == 4
    assert not canary.exists()
    torch.load(shutil.copy(checkpoint_path(run, 8), tmp_path / "bomb.pt"), weights_only=False)
    assert canary.exists()  # it was live


def test_damaged_checkpoints_are_left_for_somebody_to_look_at(run: Path) -> None:
    checkpoint_path(run, 4).write_bytes(b"nonsense")
    with RecordWriter.reopen(run, 8) as writer:
        for step in (10, 12, 14):
            writer.checkpoint(step, {}, "")
    assert Record.open(run).checkpoints() == (4, 12, 14)


def test_a_type_that_safetensors_lacks(run: Path) -> None:
    with RecordWriter.reopen(run, 8) as writer:
        with pytest.raises(RecordError, match=r"safetensors has no type for torch\.complex128") as caught:
            writer.checkpoint(9, {"z": torch.zeros(2, dtype=torch.complex128)}, "")
        assert "view_as_real" in caught.value.fix
    assert Record.open(run).checkpoints() == (4, 8)


def test_reopening_drops_later_checkpoints_and_unfinished_files(run: Path) -> None:
    (run / "checkpoints" / ".step-00000008.safetensors").write_bytes(b"half")
    (run / "checkpoints" / "notes.txt").write_text("mine")
    with RecordWriter.reopen(run, 4) as writer:
        assert Record.open(run).checkpoints() == (4,)
        writer.checkpoint(4, {"w": torch.zeros(1)}, "again")
    assert Record.open(run).checkpoint().state == "again"
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == [
        "notes.txt",
        "step-00000004.safetensors",
    ]
