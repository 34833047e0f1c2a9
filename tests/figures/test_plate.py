"""Plates and overlays: what is asked for is drawn, with its labels, and levels in sight."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import LogNorm

from edgewise.figures import Curve, Field, Level, Panel, overlay, plate
from edgewise.figures.style import PALETTE
from edgewise.foundation import SettingError


def lines_of(axes: object) -> dict[str, list[float]]:
    """The labelled lines of a panel."""
    return {
        line.get_label(): line.get_ydata().tolist()
        for line in axes.get_lines()  # type: ignore[attr-defined]
        if not line.get_label().startswith("_")
    }


def test_curves_and_levels_are_drawn_as_given() -> None:
    x = np.arange(3.0)
    figure = plate(
        [
            Panel(x="time", y="loss", curves=[Curve(x, x**2, "a"), Curve(x, -x, "b", style="dashes")]),
            Panel(x="η", y="gap", curves=[Curve(x + 1, x + 1)], levels=[Level(2, "2/η")], log="xy"),
        ],
        title="Two panels",
        text="A sentence.",
    )
    left, right = figure.axes
    assert lines_of(left) == {"a": [0, 1, 4], "b": [0, -1, -2]}
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a", "b"]
    assert right.get_legend() is None
    assert (right.get_xscale(), right.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in right.texts] == ["2/η"]
    assert (left.get_xlabel(), right.get_ylabel()) == ("time", "gap")
    assert [text.get_text() for text in figure.texts] == ["Two panels", "A sentence."]


def test_a_field_has_its_scale_beside_it() -> None:
    grid = np.array([[1.0, 10.0, 100.0], [1.0, np.nan, 5.0]])
    figure = plate(
        [Panel(x="x", y="y", field=Field([0, 1, 2], [0, 1], grid, "sharpness", log=True))], title="A map"
    )
    panel, bar = figure.axes
    assert bar.get_ylabel() == "sharpness"
    (mesh,) = panel.collections
    assert mesh.get_array().shape == (2, 3)
    assert mesh.get_array().mask.sum() == 1


@pytest.mark.parametrize(("low", "high", "numbers"), [(0.01, 0.08, {"0.01", "0.02", "0.05"}), (1e-6, 1.0, set())])
def test_short_logarithmic_axes_have_more_than_one_number(low: float, high: float, numbers: set[str]) -> None:
    figure = plate([Panel(x="η", y="y", curves=[Curve([low, high], [1, 2])], log="x")], title="Axis")
    figure.draw_without_rendering()
    seen = {tick.get_text() for tick in figure.axes[0].get_xticklabels()}
    assert numbers <= seen


def run_of(critical: float | list[float], steps: int = 4) -> xr.Dataset:
    data = {
        "loss": (("process", "step"), np.linspace(1, 0.1, steps)[None]),
        "sharpness": (("process", "step", "rank"), np.linspace(1, 8, steps)[None, :, None]),
        "critical_curvature": (("process", "step"), np.broadcast_to(critical, (1, steps)).astype(float)),
    }
    time = (("process", "step"), 0.1 * np.arange(steps)[None])
    return xr.Dataset(data, coords={"process": ["gd"], "step": np.arange(steps), "rank": [1], "time": time})


def test_an_overlay_shows_every_run_and_its_critical_curvature() -> None:
    figure = overlay({"η = 2/8": run_of(8.0), "η = 2/4": run_of(4.0)}, title="Two", against=("step", "time"))
    assert len(figure.axes) == 4
    sharpness, loss, in_time, _ = figure.axes
    assert set(lines_of(sharpness)) == {"η = 2/8", "η = 2/4"}
    assert loss.get_yscale() == "log"
    assert in_time.get_xlabel() == "time (step × η)"
    levels = [line for line in sharpness.get_lines() if line.get_label().startswith("_")]
    assert {(line.get_ydata()[0], line.get_color()) for line in levels} == {(8.0, PALETTE[0]), (4.0, PALETTE[1])}
    assert sharpness.get_ylim()[1] > 8


def test_a_critical_curvature_that_moves_is_a_curve() -> None:
    figure = overlay({"run": run_of([8.0, 8.0, 6.0, 6.0])}, title="A drop")
    drawn = [line.get_ydata().tolist() for line in figure.axes[0].get_lines()]
    assert [8.0, 8.0, 6.0, 6.0] in drawn


NAN = np.nan


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, 2, 3], [NAN, NAN, NAN]),
        ([], []),
        ([0, 1, 2], [0, -1, -2]),
        ([0, 1, 2], [0, 1, 1000]),
        ([1], [2]),
        ([1, 2, 3], [1, np.inf, -np.inf]),
        ([1, 2, 3], [1, 1e300, 1e308]),
        ([1e-300, 1, 1e308], [1e-300, 1, 1e149]),
    ],
)
@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_whatever_a_run_gave_can_be_drawn(x: list[float], y: list[float], log: str) -> None:
    """Warnings are errors here: nothing that a divergence or an empty record gives may stop a figure."""
    panel = Panel(x="x", y="y", curves=[Curve(x, y, "a")], levels=[Level(2.0, "edge")], log=log)  # type: ignore[arg-type]
    figure = plate([panel], title="Anything")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()
    assert axes.get_xlim()[0] < axes.get_xlim()[1]
    assert axes.get_ylim()[0] < axes.get_ylim()[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    # The curve is named even where nothing of it can be seen; what is too large for an axis is left out.
    np.testing.assert_array_equal(lines_of(axes)["a"], np.where(np.abs(y) < 1e150, y, NAN))


def test_an_axis_without_a_positive_number_stays_linear() -> None:
    panels = [Panel(x="x", y="y", curves=[Curve([1, 2], y)], log="xy") for y in ([0, -1], [0, 1])]
    low, mixed = plate(panels, title="Logs").axes
    assert (low.get_xscale(), low.get_yscale()) == ("log", "linear")
    assert (mixed.get_xscale(), mixed.get_yscale()) == ("log", "log")


@pytest.mark.parametrize("value", [NAN, -1.0, 0.0])
def test_a_field_without_a_positive_number_has_a_linear_scale(value: float) -> None:
    field = Field([0, 1], [0, 1], np.full((2, 2), value), "v", log=True)
    figure = plate([Panel(x="x", y="y", field=field)], title="Nothing")
    figure.draw_without_rendering()
    (mesh,) = figure.axes[0].collections
    assert not isinstance(mesh.norm, LogNorm)
    positive = plate([Panel(x="x", y="y", field=replace(field, values=np.ones((2, 2))))], title="Something")
    assert isinstance(positive.axes[0].collections[0].norm, LogNorm)


def test_a_level_out_of_sight_leaves_the_layout_alone() -> None:
    """Its name, high above the panel, would squeeze all panels to nothing."""
    panel = Panel(x="x", y="y", curves=[Curve([1, 2], [1, 2])], levels=[Level(200.0, "far")], ylim=(0, 4))
    figure = plate([panel], title="Far")
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().height > 0.5


def test_a_plate_without_panels_is_refused() -> None:
    with pytest.raises(SettingError, match="the figure 'None': it has no panel"):
        plate([], title="None")


@pytest.mark.parametrize("critical", [NAN, np.inf])
def test_a_run_without_a_critical_curvature_is_overlaid(critical: float) -> None:
    figure = overlay({"run": run_of(critical), "other": run_of(5.0)}, title="One has none")
    figure.draw_without_rendering()
    assert set(lines_of(figure.axes[0])) == {"run", "other"}
