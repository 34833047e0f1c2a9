"""`edgewise gallery`, `reproduce`, `verdicts` and `results`, on the cheapest paper of the gallery."""

from pathlib import Path

import pytest

from conftest import Typed
from edgewise.gallery import folder_of, keys, reproduction

PAPER = "wu2018how"


def test_the_gallery_lists_every_paper(typed: Typed) -> None:
    answer = typed("gallery")
    assert answer.code == 0
    assert all(key in answer.out for key in keys())


def test_a_paper_is_shown_with_its_claims(typed: Typed) -> None:
    answer = typed("gallery", PAPER)
    for exhibit in reproduction(PAPER).exhibits:
        assert f"{PAPER}/{exhibit.name}" in answer.out
        assert all(claim.sentence in answer.out for claim in exhibit.claims)


def test_a_paper_is_reproduced_judged_drawn_and_found_again(typed: Typed) -> None:
    answer = typed("reproduce", PAPER, "--jobs", 1, "--golden", "check")
    assert answer.code == 0, answer.out + answer.err
    assert "holds" in answer.out
    store = Path("runs/gallery")
    figure = store / PAPER / "fig2" / "smoke.png"
    assert figure.stat().st_size > 10_000
    record = next((store / "records").iterdir())
    before = (record / "run.json").stat().st_mtime_ns

    told = typed("verdicts")
    assert told.code == 0
    assert "3 claims: 3 holds." in told.out
    assert typed("verdicts", PAPER, "--scale", "laptop").out.startswith("There are no verdicts in runs/gallery")

    again = typed("reproduce", f"{PAPER}/fig2", "--jobs", 1, "--no-figures")
    assert again.code == 0
    assert (record / "run.json").stat().st_mtime_ns == before, "what is in the store is not computed again"

    page = typed("results", "--output", "page")
    assert page.code == 0
    assert "SGD leaves it and ends at 0" in Path("page/results.md").read_text()
    assert Path(f"page/figures/{PAPER}-fig2-smoke.png").read_bytes() == figure.read_bytes()


def test_again_computes_again(typed: Typed) -> None:
    typed("reproduce", PAPER, "--jobs", 1, "--no-figures")
    (record,) = Path("runs/gallery/records").iterdir()
    before = (record / "run.json").stat().st_mtime_ns
    assert typed("reproduce", PAPER, "--jobs", 1, "--no-figures", "--again").code == 0
    assert (record / "run.json").stat().st_mtime_ns != before


def test_golden_numbers_that_changed_are_an_error(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    import edgewise.gallery

    gold = (folder_of(PAPER) / "golden.json").read_text()
    other = Path("elsewhere")
    other.mkdir()
    (other / "golden.json").write_text(gold.replace('"effect": 1.0', '"effect": 0.5'))
    monkeypatch.setattr(edgewise.gallery, "folder_of", lambda key: other)
    answer = typed("reproduce", PAPER, "--jobs", 1, "--no-figures", "--golden", "check")
    assert answer.code == 1
    assert "measured 0.5 and measures 1.0" in answer.out
    assert typed("reproduce", PAPER, "--jobs", 1, "--no-figures", "--golden", "write").code == 0
    assert typed("reproduce", PAPER, "--jobs", 1, "--no-figures", "--golden", "check").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("reproduce",), "it is either the whole gallery or parts of it"),
        (("reproduce", PAPER, "--all"), "it is either the whole gallery or parts of it"),
        (("reproduce", "nobody2000paper"), "the gallery has none of that key"),
        (("reproduce", f"{PAPER}/fig9"), "the paper has no such exhibit"),
        (("reproduce", PAPER, "--seeds", "0"), "--seeds 0: it is counted from 1"),
        (("reproduce", PAPER, "--jobs", "0"), "--jobs 0: it is counted from 1"),
        (
            ("reproduce", PAPER, "--golden", "check", "--seeds", "2"),
            "the golden numbers are those of the smoke scale",
        ),
        (("gallery", "nobody2000paper"), "the gallery has none of that key"),
        (("results",), "it holds no such verdicts"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(typed: Typed, words: tuple[str, ...], message: str) -> None:
    answer = typed(*words)
    assert answer.code == 2
    assert message in answer.err
