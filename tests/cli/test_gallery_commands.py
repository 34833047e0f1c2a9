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


def test_a_damaged_record_is_an_error_that_says_what_to_type(typed: Typed) -> None:
    """Golden numbers that could not be compared have not been found equal."""
    typed("reproduce", PAPER, "--jobs", 1, "--no-figures")
    (record,) = Path("runs/gallery/records").iterdir()
    (record / "arrays.nc").write_bytes(b"CDF")
    answer = typed("reproduce", PAPER, "--jobs", 1, "--no-figures", "--golden", "check")
    assert answer.code == 1
    assert "arrays.nc: its checksum is not the one in the manifest" in answer.out
    assert f"Type edgewise reproduce {PAPER}/fig2 --scale smoke --again, which makes it anew." in answer.out
    assert typed("reproduce", f"{PAPER}/fig2", "--scale", "smoke", "--again", "--jobs", 1).code == 0


def test_one_damaged_finding_does_not_hide_the_verdicts(typed: Typed) -> None:
    typed("reproduce", PAPER, "--jobs", 1, "--no-figures")
    whole = Path(f"runs/gallery/{PAPER}/fig2/smoke.json")
    whole.with_name("laptop.json").write_text("{")
    answer = typed("verdicts")
    assert answer.code == 0
    assert "3 claims: 3 holds." in answer.out
    assert f"Left out: reading runs/gallery/{PAPER}/fig2/laptop.json: it is damaged" in answer.err
    assert typed("results", "--output", "page").code == 0


def test_verdicts_tell_what_is_gone_and_what_is_older_than_the_claims(typed: Typed) -> None:
    typed("reproduce", PAPER, "--jobs", 1, "--no-figures")
    now = Path(f"runs/gallery/{PAPER}/fig2/smoke.json")
    gone = Path("runs/gallery/nobody2000paper/fig9/smoke.json")
    gone.parent.mkdir(parents=True)
    gone.write_text(now.read_text().replace(PAPER, "nobody2000paper").replace("fig2", "fig9"))
    sentence = reproduction(PAPER).exhibit("fig2").claims[0].sentence
    now.write_text(now.read_text().replace(sentence, "something else"))
    answer = typed("verdicts")
    assert answer.code == 0
    assert "for the gallery has it no more: nobody2000paper/fig9." in answer.err
    assert f"  edgewise reproduce {PAPER}/fig2 --scale smoke" in answer.out
    assert "nobody2000paper" not in typed("verdicts", PAPER).err


def test_an_exhibit_whose_figure_fails_is_judged_and_the_others_are_done(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edgewise.figures

    def fail(*_: object) -> None:
        raise ZeroDivisionError("nothing to draw")

    monkeypatch.setattr(edgewise.figures, "save", fail)
    answer = typed("reproduce", PAPER, "--jobs", 1)
    assert answer.code == 1
    assert f"{PAPER}/fig2 was not finished: ZeroDivisionError: nothing to draw." in answer.out
    assert "Type the same with --debug" in answer.err
    assert "3 claims: 3 holds." in typed("verdicts").out


def test_a_log_is_told_how_far_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from edgewise.cli import gallery_progress
    from edgewise.reproduction import Done, Scale, plan

    clock = iter([0.0, 5.0, 40.0, 41.0])
    monkeypatch.setattr(gallery_progress.time, "monotonic", lambda: next(clock))
    (job,) = plan([("wu2018how/fig2", reproduction(PAPER).exhibit("fig2"))], Scale.SMOKE, 1, Path())
    with gallery_progress.Bar(4) as bar:
        for trouble in ("", "it broke", ""):
            bar.told(Done(job, trouble))
    assert capsys.readouterr().err.splitlines() == [
        "4 runs to be made",
        f"2 of 4 runs, about 0:00:40 left; last {job.label} failed",
    ]


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
