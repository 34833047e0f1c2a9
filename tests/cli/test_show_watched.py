"""The page of a training that was watched and not run by edgewise."""

import sqlite3
from pathlib import Path

import pytest

from conftest import Typed
from edgewise.watch.sinks import RunStore

SAID = "Stable at step 40: below the edge of stability."
OWN = ("None", "until nothing", "made by hand", "probes", "accuracy", "next eigenvalues", "unstable above")


def store(verdict: str | None = SAID) -> Path:
    """A watched training with critical sharpness at two steps and effective sharpness at one."""
    sink = RunStore("runs", "digits")
    for step in range(0, 40, 4):
        sink(step, {"edgewise/loss": 2.0 - step / 40, "edgewise/gradient_norm": 3.0})
    for step, ratio in ((5, 0.25), (9, 1e-5)):
        sink(
            step,
            {
                "edgewise/critical_sharpness": 200 * ratio,
                "edgewise/critical_curvature": 200.0,
                "edgewise/edge_ratio": ratio,
                "edgewise/loss": 1.5,
            },
        )
    sink(
        13,
        {
            "edgewise/effective_sharpness": 150.0,
            "edgewise/effective_sharpness_bound": 3.0,
            "edgewise/critical_curvature": 200.0,
            "edgewise/edge_ratio": 0.75,
            "edgewise/loss": 1.25,
        },
    )
    sink(17, {"edgewise/spike": 1.0})
    sink(1234, {"edgewise/spike": 1.0})
    sink.close(verdict)
    return sink.path


def test_it_shows_what_was_read_and_nothing_that_belongs_to_our_own_runs(typed: Typed) -> None:
    path = store()
    answer = typed("show", "latest")
    assert answer.code == 0, answer.err
    for words in (
        path.name,
        "watched   a training that edgewise did not run: there are readings of it and no recipe",
        "read      loss 13 times, effective sharpness once, critical sharpness twice, gradient norm 10 times",
        "spikes    at steps 17, 1,234",
        "ended    The watch was closed; its last numbers are of step 1234.",
        f"verdict  {SAID}",
        "torch",
    ):
        assert words in answer.out, words
    for words in OWN:
        assert words not in answer.out, words


def test_its_rows_are_those_with_an_edge_ratio(typed: Typed) -> None:
    store()
    lines = [line.split() for line in typed("show", "latest").out.splitlines()]
    assert ["5", "1.5", "–", "50", "0.250"] in lines
    assert ["9", "1.5", "–", "0.002", "<", "0.001"] in lines
    assert ["13", "1.25", "150", "±", "3", "–", "0.750"] in lines
    assert not [line for line in lines if line[:1] == ["0"]]
    one = typed("show", "latest", "--rows", 1).out
    assert "0.250" in one and "0.750" not in one
    assert "edge ratio" not in typed("show", "latest", "--rows", 0).out


def test_without_an_edge_ratio_its_rows_are_those_with_a_loss(typed: Typed) -> None:
    sink = RunStore("runs")
    sink(3, {"edgewise/loss": 0.5})
    sink.close()
    out = typed("show", "latest").out
    assert ["3", "0.5", "–"] in [line.split() for line in out.splitlines()]
    assert "verdict  Cannot tell: no critical curvature of its method was read." in out
    assert "spikes" not in out


def test_one_without_readings_is_shown_too(typed: Typed) -> None:
    RunStore("runs").close("Cannot tell.")
    answer = typed("show", "latest")
    assert answer.code == 0, answer.err
    assert "read      nothing" in answer.out


def test_the_list_has_the_last_word_of_the_watch(typed: Typed) -> None:
    path = store()
    assert typed("show").out == f"{path.name}  {SAID}\n"


def test_one_that_was_killed_cannot_be_gone_on_with(typed: Typed) -> None:
    with sqlite3.connect(store() / "series.sqlite") as connection:
        connection.execute("DELETE FROM events")
    connection.close()
    out = typed("show", "latest").out
    assert "ended    killed before the watch was closed" in out
    assert "--resume" not in out


@pytest.mark.parametrize("words", [("run", "--resume", "latest"), ("measure", "latest")])
def test_what_needs_a_recipe_says_that_there_is_none(words: tuple[str, ...], typed: Typed) -> None:
    store()
    answer = typed(*words)
    assert answer.code == 2
    assert "it is a training that was watched, of which edgewise has readings and no recipe." in answer.err


def test_it_has_a_figure(typed: Typed) -> None:
    store()
    answer = typed("show", "latest", "--figure", "watched.svg")
    assert answer.code == 0, answer.err
    assert Path("watched.svg").stat().st_size > 1000
