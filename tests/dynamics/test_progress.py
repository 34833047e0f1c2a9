"""What a run shows while it goes on: nothing, or one line."""

import sys

import pytest

import edgewise as ew
from edgewise.dynamics import ProgressBar, Silent
from edgewise.dynamics.progress import default_progress, describe
from reference.runs import bowl

DESCENT = {"gd": ew.GradientDescent(0.1), "hb": ew.HeavyBall(0.1, 0.5)}


def test_a_row_in_a_few_words() -> None:
    assert describe({"loss": 0.031249, "edge_ratio": [1.00312, 0.4]}) == "loss 0.03125, edge ratio 1.003"
    assert describe({"loss": 2.0, "edge_ratio": 0.5}) == "loss 2, edge ratio 0.500"
    assert describe({"loss": 2.0, "edge_ratio": []}) == "loss 2"
    assert describe({"step_size": 0.1}) == ""


def test_a_long_run_shows_one_line_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.dynamics.progress._PATIENCE", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    bar = ProgressBar()
    run = ew.evolve(DESCENT, bowl(10.0, 1.0), 20, [ew.Sharpness()], progress=bar)
    out, err = capsys.readouterr()
    assert out == ""
    assert "20/20" in err
    assert "gd: loss" in err
    assert "edge ratio 0.500" in err
    run.resume(30, progress=bar)  # the same one shows a second run
    assert "30/30" in capsys.readouterr().err


def test_a_short_run_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ew.evolve(DESCENT, bowl(10.0), 3, progress=ProgressBar())
    ew.evolve(DESCENT, bowl(10.0), 3, progress=Silent())
    assert capsys.readouterr() == ("", "")


def test_the_bar_is_for_somebody_who_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(default_progress(), Silent)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(default_progress(), ProgressBar)
