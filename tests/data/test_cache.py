from pathlib import Path

import pytest

from edgewise.data.cache import cache_folder, find, read_bytes, roots
from edgewise.foundation import DataError


def test_a_given_folder_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEWISE_DATA", "elsewhere")
    assert roots(tmp_path) == (tmp_path,)


def test_the_environment_comes_before_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert roots() == (cache_folder(),)
    monkeypatch.setenv("EDGEWISE_DATA", str(tmp_path / "mine"))
    assert roots() == (tmp_path / "mine", cache_folder())
    for root in reversed(roots()):
        root.mkdir(parents=True)
        (root / "b").write_text("x")
        assert find("it", ["a", "b"], None, dataset="it") == root / "b"


def test_names_are_tried_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text("x")
        assert find("it", ["a", "b"], tmp_path, dataset="it") == tmp_path / name


def test_what_is_nowhere_is_an_error_with_the_line_to_type(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        find("It", ["a", "b"], tmp_path, dataset="it")
    assert str(caught.value) == (
        f"It in {tmp_path}: there is no a or b. Type edgewise data it to download it, "
        "or set EDGEWISE_DATA to the folder that holds a."
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a table cannot be read \(Is a directory\)"):
        read_bytes(tmp_path, "a table")
