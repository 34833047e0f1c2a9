import hashlib
from pathlib import Path

import pytest
import torch

from edgewise.data import CharacterText
from edgewise.foundation import DataError, SettingError

TEXT = "to be, or not to be: that is the question é€😀\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "play.txt"
    file.write_text(TEXT, encoding="utf-8", newline="")
    return str(file)


def test_windows_follow_each_other_and_targets_are_the_next_characters(path: str) -> None:
    data = CharacterText(path=path, context=5).load()
    spell = "".join(data.class_names[token] for token in data.inputs.flatten())
    count = (len(TEXT) - 1) // 5
    assert data.inputs.shape == data.targets.shape == (count, 5)
    assert spell == TEXT[: 5 * count]
    assert "".join(data.class_names[token] for token in data.targets.flatten()) == TEXT[1 : 5 * count + 1]
    assert data.inputs.dtype == data.targets.dtype == torch.int64


def test_the_vocabulary_is_that_of_the_whole_text_whatever_n(path: str) -> None:
    data = CharacterText(path=path, context=5, n=1).load()
    assert data.class_names == tuple(sorted(set(TEXT)))
    assert data.classes == data.outputs == len(set(TEXT))
    assert len(data) == 1


def test_source_and_checksum_are_those_of_the_file(path: str) -> None:
    data = CharacterText(path=path, context=4).load()
    assert path in data.source
    assert f"{len(TEXT)} characters" in data.source
    assert data.checksum == hashlib.sha256(TEXT.encode()).hexdigest()
    assert data.name == "play"


def test_the_usual_place_is_tiny_shakespeare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEWISE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"Tiny Shakespeare in .*edgewise data tinyshakespeare"):
        CharacterText().load()
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text(TEXT, encoding="utf-8")
    assert CharacterText(context=5).load().name == "tinyshakespeare"


def test_more_samples_than_the_text_has_are_refused(path: str) -> None:
    with pytest.raises(SettingError, match=rf"100 samples of 5 characters .*its {len(TEXT)} characters make 9"):
        CharacterText(path=path, context=5, n=100).load()
    with pytest.raises(SettingError, match="characters make 0"):
        CharacterText(path=path, context=len(TEXT)).load()


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(DataError, match=r"image\.png: it is not text in UTF-8"):
        CharacterText(path=str(file)).load()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"no-such-file: a text cannot be read"):
        CharacterText(path="no-such-file").load()


@pytest.mark.parametrize("setting", [{"context": 0}, {"n": 0}])
def test_impossible_settings_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(SettingError, match="at least 1"):
        CharacterText(**setting)
