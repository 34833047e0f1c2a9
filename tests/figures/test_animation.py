"""Films: what each picture shows is what the record says."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from edgewise.figures import Film, Trail, film, save_film, walk
from edgewise.foundation import RecordError, SettingError


def run_of(steps: int) -> xr.Dataset:
    """A run that oscillates with growing swings at a sharpness just above critical."""
    t = np.arange(steps)
    series = {
        "loss": np.exp(-0.01 * t),
        "critical_curvature": np.full(steps, 10.0),
        "oscillation": np.r_[np.nan, 0.1 * (-1.05) ** t[1:-1], np.nan],
    }
    data = {name: (("process", "step"), x[None]) for name, x in series.items()}
    data["sharpness"] = (("process", "step", "rank"), np.full((1, steps, 1), 10.5))
    return xr.Dataset(data, coords={"process": ["gd"], "step": t, "rank": [1]})


def ball_of(moving: Film, frame: int) -> tuple[float, float]:
    """Where the ball stands in a picture."""
    artists = moving.draw(frame)
    return float(artists[4].get_xdata()[0]), float(artists[4].get_ydata()[0])


def test_the_ball_is_where_the_record_says() -> None:
    moving = film(run_of(12))
    for frame, t in ((0, 1), (4, 5), (9, 10)):
        x = 0.1 * (-1.05) ** t
        assert ball_of(moving, frame) == pytest.approx((x, 10.5 * x**2 / 2), rel=1e-12)
    assert "step 5" in moving.draw(4)[5].get_text()
    assert "1.05 × critical" in moving.draw(4)[5].get_text()


def test_a_long_run_is_shown_in_odd_strides_so_that_a_flip_is_seen() -> None:
    moving = film(run_of(1000))
    sides = [np.sign(ball_of(moving, frame)[0]) for frame in range(20)]
    assert sides == [(-1) ** (frame + 1) for frame in range(20)]


def test_a_walk_ends_where_the_trail_ends() -> None:
    x = np.linspace(0, 1, 5)
    moving = walk(
        [Trail(x, x**2, "long"), Trail(x[:2], x[:2], "short")],
        (x, x, np.add.outer(x, x)),
        x="a",
        y="b",
        title="toy",
    )
    artists = moving.draw(4)
    assert artists[2].get_xdata().tolist() == [1.0]
    assert artists[3].get_xdata().tolist() == [0.25]


@pytest.mark.parametrize("missing", ["sharpness", "oscillation"])
def test_a_run_that_was_not_read_for_it_is_refused(missing: str) -> None:
    with pytest.raises(RecordError, match=f"a film without {missing}"):
        film(run_of(10).drop_vars(missing))


def test_an_mp4_without_ffmpeg_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(SettingError, match=r"pip install 'edgewise\[film\]'"):
        save_film(film(run_of(5)), tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("name", "value"), [("oscillation", np.nan), ("critical_curvature", np.inf), ("critical_curvature", 0.0)]
)
def test_a_run_with_nothing_to_show_is_refused(name: str, value: float) -> None:
    empty = run_of(5)
    empty[name] = xr.full_like(empty[name], value)
    with pytest.raises(RecordError, match="at no step are sharpness, oscillation and critical curvature known"):
        film(empty)


@pytest.mark.parametrize("trails", [[], [Trail([], [], "empty")]])
def test_a_walk_of_nobody_is_refused(trails: list[Trail]) -> None:
    grid = np.linspace(0, 1, 3)
    with pytest.raises(SettingError, match="it has no trajectory"):
        walk(trails, (grid, grid, np.add.outer(grid, grid)), x="a", y="b", title="toy")


def test_a_walk_over_no_loss_is_refused() -> None:
    grid = np.linspace(0, 1, 3)
    with pytest.raises(SettingError, match="or no loss to draw"):
        walk([Trail(grid, grid, "a")], (grid, grid, np.full((3, 3), np.nan)), x="a", y="b", title="toy")
