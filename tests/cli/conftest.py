"""Commands typed in this process, with what they said."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgewise.cli import main
from edgewise.dynamics import Run
from edgewise.records import list_records


@dataclass(frozen=True)
class Answer:
    """What a command returned and said."""

    code: int
    out: str
    err: str


Typed = Callable[..., Answer]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command: `typed("run", "chebyshev_mlp", "--lr", 0.1)`."""

    def type_it(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return type_it


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test stands in an empty folder, without the user's data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEWISE_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")


TINY = ("chebyshev_mlp", "--set", "width=4", "--top", "1", "--no-figure")
"""A run of milliseconds."""


@pytest.fixture
def finished(typed: Typed) -> Run:
    """A finished run of three steps in the store `runs`."""
    answer = typed("run", *TINY, "--lr", 0.1, "--steps", 3)
    assert answer.code == 0, answer.err
    return newest()


def newest(store: str = "runs") -> Run:
    """The newest run of a store."""
    return Run(list_records(store).records[-1])
