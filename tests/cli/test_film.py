"""`edgewise film`: a run that was read for it becomes a GIF or an MP4; another one is refused."""

from pathlib import Path

import pytest
from PIL import Image

from conftest import TINY, Typed, newest


def test_a_run_is_filmed(typed: Typed) -> None:
    typed("run", *TINY, "--lr", 0.1, "--steps", 6, "--probe", "sharpness", "--probe", "oscillation")
    answer = typed("film", "latest")
    assert answer.code == 0, answer.err
    with Image.open(newest().path / "film.gif") as film:
        assert film.n_frames == 5  # the readings of steps 1 … 5, each with both neighbours
    answer = typed("film", "latest", "--output", "clips/edge.mp4", "--store", "runs")
    assert answer.code == 0, answer.err
    assert Path("clips/edge.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("film", "latest"), "a film without oscillation: it shows what one does to the other"),
        (("film", "latest", "--store", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_filmed_says_why(typed: Typed, words: tuple[str, ...], message: str) -> None:
    typed("run", *TINY, "--lr", 0.1, "--steps", 2)
    answer = typed(*words)
    assert answer.code == 2
    assert message in answer.err


def test_an_ending_that_is_no_film_is_refused(typed: Typed) -> None:
    typed("run", *TINY, "--lr", 0.1, "--steps", 4, "--probe", "sharpness", "--probe", "oscillation")
    answer = typed("film", "latest", "--output", "edge.avi")
    assert (answer.code, "only .gif and .mp4 are known" in answer.err) == (2, True)
