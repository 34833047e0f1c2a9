"""What the documents promise: the README's code runs, and so does every example in a docstring."""

import re
from pathlib import Path

import pytest

import edgewise

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}  # a later block goes on with what an earlier one has made
    for block in BLOCK.findall(README.read_text()):
        exec(compile(block, str(README), "exec"), namespace)
    run = namespace["run"]
    assert isinstance(run, edgewise.Run)
    assert all(outcome.kind == "finished" for outcome in run.outcomes.values())
    assert list((tmp_path / "runs").iterdir())


def test_the_readme_has_code_and_the_two_commands() -> None:
    text = README.read_text()
    assert BLOCK.search(text)
    assert "make demo" in text
    assert "make test" in text


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_references_are_keys_like_bibtex() -> None:
    """Under `References:` stand keys such as cohen2021gradient, with at most a remark beside them."""
    for path in Path(edgewise.__file__).parent.rglob("*.py"):
        for lines in re.findall(r"^ *References:\n((?: +\w.*\n)+)", path.read_text(), re.MULTILINE):
            for line in lines.splitlines():
                assert re.match(r" +[a-z]+\d{4}[a-z]+", line), f"{path.name}: {line.strip()}"
