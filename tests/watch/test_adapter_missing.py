"""What an adapter says where its library is not installed."""

import sys
from importlib import import_module

import pytest

from edgewise.watch.library import LibraryError


@pytest.mark.parametrize(
    ("adapter", "libraries", "sentence"),
    [
        (
            "lightning",
            ("lightning", "pytorch_lightning"),
            "watching a Lightning trainer: lightning is not installed. Type pip install 'edgewise[lightning]'.",
        ),
        (
            "transformers",
            ("transformers",),
            "watching a Trainer of transformers: transformers is not installed. "
            "Type pip install 'edgewise[transformers]'.",
        ),
    ],
)
def test_importing_it_is_answered_with_the_line_to_type(
    adapter: str, libraries: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in libraries]:
        monkeypatch.delitem(sys.modules, name)
    for library in libraries:
        monkeypatch.setitem(sys.modules, library, None)  # what Python itself takes for "not there"
    monkeypatch.delitem(sys.modules, f"edgewise.watch.{adapter}", raising=False)
    with pytest.raises(LibraryError) as caught:
        import_module(f"edgewise.watch.{adapter}")
    assert str(caught.value) == sentence
    assert isinstance(caught.value, ImportError)


def test_accelerate_is_missed_when_a_watch_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgewise.watch.accelerate import watch_prepared

    for name in [name for name in sys.modules if name.partition(".")[0] == "accelerate"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(LibraryError, match=r"Type pip install 'edgewise\[accelerate\]'"):
        watch_prepared(None, None, None, None, None)
