"""The figure of a training that was watched draws the numbers of its record."""

import numpy as np
import xarray as xr

from edgewise.figures import readings

NAN = np.nan


def dataset(**series: list[float]) -> xr.Dataset:
    steps = np.array([0, 10, 20, 30])
    data = {name: (("process", "step"), np.array([values])) for name, values in series.items()}
    return xr.Dataset(data, coords={"process": ["watched"], "step": steps})


def points(panel, index):
    line = panel.lines[index]
    return list(line.get_xdata()), list(line.get_ydata())


def test_a_panel_for_what_there_is():
    figure = readings(dataset(loss=[1.0, 0.9, NAN, 0.8]), title="digits", verdict="Stable.")
    (loss,) = figure.axes
    assert points(loss, 0) == ([0, 10, 30], [1.0, 0.9, 0.8])
    assert loss.get_yscale() == "linear"
    assert [text.get_text() for text in figure.texts] == ["digits", "Stable."]


def test_curvatures_stand_beside_what_they_are_compared_with():
    run = dataset(
        loss=[1.0, 0.1, 0.01, NAN],
        edge_ratio=[NAN, 0.5, 0.75, 0.25],
        effective_sharpness=[NAN, 100.0, NAN, NAN],
        critical_curvature=[200.0, 200.0, 300.0, NAN],
        critical_sharpness=[NAN, NAN, 30.0, 5.0],
        critical_sharpness_critical_curvature=[NAN, NAN, 40.0, 20.0],
        gradient_curvature=[NAN, NAN, NAN, NAN],
    )
    loss, ratio, curvature = readings(run, title="digits").axes
    assert loss.get_yscale() == "log"
    assert points(ratio, 0) == ([10, 20, 30], [0.5, 0.75, 0.25])
    assert [points(curvature, i) for i in range(4)] == [
        ([10], [100.0]),
        ([10], [200.0]),  # only where it was read
        ([20, 30], [30.0, 5.0]),
        ([20, 30], [40.0, 20.0]),
    ]
    assert [text.get_text() for text in curvature.get_legend().get_texts()] == [
        "effective sharpness",
        "critical sharpness",
    ]
    assert curvature.lines[2].get_color() == curvature.lines[3].get_color() != curvature.lines[0].get_color()


def test_of_nothing_there_is_an_empty_panel():
    assert len(readings(dataset(), title="nothing").axes) == 1
